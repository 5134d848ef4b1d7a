use std::fmt::Display;

use super::{Message, Words, joined};
use crate::base::units::Lang;

/// `key(arguments) "English" "Chinese";` makes `Words::key`. That a text uses exactly its arguments is checked for English
/// when the program is built, and for both by a test.
macro_rules! messages {
    ($($key:ident($($arg:ident),*) $en:literal $zh:literal;)*) => {
        impl Words {
            // Some are named by templates alone; a test finds those that nobody names.
            $(#[allow(dead_code)]
            pub(crate) fn $key(self $(, $arg: impl Display)*) -> String {
                match self.lang {
                    Lang::En => format!($en $(, $arg = $arg)*),
                    Lang::Zh => joined($zh, &[$((stringify!($arg), &$arg as &dyn Display)),*]),
                }
            })*
        }

        pub(super) const MESSAGES: &[Message] = &[
            $(Message { key: stringify!($key), args: &[$(stringify!($arg)),*], en: $en, zh: $zh }),*
        ];
    };
}

/// `key: "English for one" / "for others" "Chinese"`, each with `{n}`.
macro_rules! plurals {
    ($($key:ident $one:literal / $many:literal $zh:literal;)*) => {
        impl Words {
            $(pub(crate) fn $key(self, n: u64) -> String {
                let count = self.count(n);
                match (self.lang, n) {
                    (Lang::En, 1) => format!($one, n = count),
                    (Lang::En, _) => format!($many, n = count),
                    (Lang::Zh, _) => joined($zh, &[("n", &count)]),
                }
            })*
        }
    };
}

plurals! {
    n_targets "{n} target" / "{n} targets" "{n}项目标";
    n_processes "{n} process" / "{n} processes" "{n}个进程";
    n_requests "{n} request" / "{n} requests" "{n}次请求";
    n_samples "{n} sample" / "{n} samples" "{n}个样本";
    n_answers "{n} answer" / "{n} answers" "{n}个响应";
    n_visits "{n} visit" / "{n} visits" "{n}次访问";
    n_steps "{n} step" / "{n} steps" "{n}个步骤";
    n_connections "{n} connection" / "{n} connections" "{n}个连接";
    n_parts "{n} part" / "{n} parts" "{n}个分片";
    n_workers "{n} worker" / "{n} workers" "{n}个发压线程";
    n_windows "{n} window" / "{n} windows" "{n}个窗口";
    n_networks "{n} network" / "{n} networks" "{n}个网络";
    n_packets "{n} packet" / "{n} packets" "{n}个数据包";
    n_times "{n} time" / "{n} times" "{n}次";
    n_trials "{n} trial" / "{n} trials" "{n}次试压";
    n_cores "{n} core" / "{n} cores" "{n}核";
    n_more "and {n} more" / "and {n} more" "另有{n}条";
}

messages! {
    // Joints
    and(first, last) "{first} and {last}" "{first}和{last}";
    with_name(title, name) "{title} ({name})" "{title}（{name}）";
    pair(what, value) "{what} {value}" "{what} {value}";
    at_preparing(at) "prepare {at}" "准备 {at}";
    colon(what, value) "{what}: {value}" "{what}：{value}";
    clause() "; " "；";
    no_data() "no data" "无数据";
    not_measured() "not measured" "未测得";
    tried_again(step, times, kinds) "{step} tried again {times}: {kinds}" "{step}重试{times}：{kinds}";
    head_figures() "What answers told" "响应所含指标";
    col_figure() "figure" "指标";
    col_numbers() "numbers" "个数";
    group_named(group) "{group} (group)" "{group}（步骤组）";
    all_requests() "all requests" "全部请求";
    in_phase(what, phase) "{what} in {phase}" "{phase}阶段{what}";

    // Verdicts
    pass() "PASS" "达标";
    fail() "FAIL" "未达标";
    inconclusive() "INCONCLUSIVE" "无法判定";
    aborted() "ABORTED" "已中止";
    residue_left() "RESIDUE LEFT" "有残留";
    all_met(targets) "{targets}, all met" "{targets}，全部达标";
    some_missed(missed, targets) "{missed} of {targets} missed" "{targets}中{missed}项未达标";
    some_missed_and_open(missed, open, targets)
        "{missed} of {targets} missed, {open} could not be decided" "{targets}中{missed}项未达标，{open}项无法判定";
    some_open(open, targets) "{open} of {targets} could not be decided" "{targets}中{open}项无法判定";
    no_targets() "the scenario states no target" "场景未设目标";

    // Causes of a verdict beyond its targets
    cause_no_traffic() "no request was made, so nothing can be said" "没有产生任何请求，无从判定";
    cause_not_ordered(fault) "the fault {fault} was never ordered" "故障{fault}未曾下达";
    cause_not_effective(fault, because)
        "the fault {fault} did not take effect: {because}" "故障{fault}未生效：{because}";
    cause_not_healed(fault, because)
        "the fault {fault} was not seen to be healed: {because}" "故障{fault}未确认恢复：{because}";
    cause_not_steady(steady)
        "the steady state {steady} did not hold before the first fault, so the drill stopped" "首个故障注入前稳态{steady}未成立，演练已停止";
    cause_broken_off()
        "the record breaks off: the run did not come to its own end" "记录中断：本次运行没有正常结束";
    cause_aborted(abort) "the abort condition {abort} held" "触发中止条件{abort}";
    cause_part_alone(part, of)
        "this is part {part} of {of} alone; `peakdrill merge` judges the whole" "这只是{of}个分片中的第{part}个，整体由 `peakdrill merge` 判定";
    part_of(part, of) "part {part} of {of}" "第{part}个分片（共{of}个）";
    lack_of(part, what) "{part}: {what}" "{part}：{what}";
    lack_missing(part) "{part} is missing" "缺少{part}";
    lack_other_start(part, run)
        "{part} had another start instant; its run {run} was left out" "{part}的开始时刻不同，其运行{run}未计入";
    lack_other_seed(part, run, seed)
        "{part} had another seed ({seed}); its run {run} was left out" "{part}的种子不同（{seed}），其运行{run}未计入";
    cause_interrupted() "stopped by hand (Ctrl-C or TERM)" "被人工中断（Ctrl-C 或 TERM）";
    cause_residue()
        "a fault could not be undone; what is left stands below with the command that removes it"
        "有故障未能撤除；残留内容及清除命令见下";
    cause_generator(doubts)
        "the load generator could not send what was planned: {doubts}" "压测端无法按计划发出请求：{doubts}";
    ended_not_prepared() "the platform or a chore of `prepare` failed before any load" "平台或准备步骤在加压前失败";
    ended_record_lost() "the record could not be written (disk full?)" "运行记录无法写入（磁盘已满？）";
    ended_harness_failed() "a part of the harness itself failed" "压测工具自身的一部分发生故障";
    ended_late(by) "not ready until {by} after its start instant, so nothing was sent" "晚于约定的开始时刻{by}才就绪，未发出任何请求";
    ended_aborted() "an abort condition held" "触发了中止条件";
    ended_interrupted() "it was interrupted" "运行被中断";
    ended_not_steady() "the steady state did not hold" "稳态未成立";
    ended_finished() "it ran to its planned end" "按计划执行完毕";

    // Reasons of judgements
    reason_missed(by) "misses by {by}" "偏离目标值{by}";
    reason_missed_times(times) "misses by {times} times its objective" "偏离目标值 {times} 倍";
    reason_missed_plain() "misses its objective" "未满足目标值";
    reason_failed()
        "so many requests failed that this percentile falls among them" "失败请求过多，该分位落在失败请求之中";
    reason_no_data() "nothing was counted" "没有任何样本";
    reason_too_few(have, need) "{have}, needs {need}" "{have}，至少需要{need}个";
    reason_fault_not_ordered() "the fault was never ordered" "故障未曾下达";
    reason_fault_not_effective(because) "the fault did not take effect: {because}" "故障未生效：{because}";
    reason_not_done() "the action was not done" "该处置步骤未完成";
    reason_action_not_begun() "never begun: what it waited for did not come" "未开始：其等待的条件没有出现";
    reason_not_detected() "the platform gave no signal" "平台没有给出任何告警或健康信号";
    reason_unseen(from, to)
        "no miss was seen, but from {from} to {to} one could have gone unseen"
        "没有观察到未达标的窗口，但从{from}到{to}之间即使未达标也无从得知";
    reason_not_reached(count)
        "would not pass with {count} never reached counted as bad" "若把未到达的{count}计为失败则不达标";
    reason_not_over()
        "not over when watching ended: only a lower end is known" "观测结束时仍未恢复：只知下限";
    reason_search_open(end) "the search has no answer: {end}" "容量搜索没有结论：{end}";
    reason_data_missing(windows, seconds)
        "{windows} of the load's workers never arrived, or too late (seconds {seconds})"
        "发压线程的{windows}缺失或迟到（第{seconds}秒）";
    reason_not_watched(watch)
        "the page of {watch} was not read near both ends of the window" "{watch}在该窗口两端附近没有采集到数据";
    reason_not_scraped(watch, at, because) "the page of {watch} was not read at {at}: {because}" "{watch}在{at}采集失败：{because}";
    reason_not_on_page(figure, at) "{figure} was not on its page at {at}" "{at}的页面上没有{figure}";
    reason_reset(figure, at)
        "{figure} was set back at {at}: what it had counted until then is lost" "{figure}在{at}被重置，此前的计数已丢失";
    reason_of_nothing(figure) "{figure} came to 0: nothing can be set against it" "{figure}为 0，无法计算比值";
    reason_cut_short() "the load did not come to the end of the window" "负载未执行到该窗口结束";
    reason_generator(doubts) "the load generator is in doubt: {doubts}" "压测端不可信：{doubts}";
    doubt_lag(figure)
        "without its own lateness the figure is {figure} and the verdict another" "扣除压测端自身延迟后为{figure}，结论不同";
    doubt_lag_unknown() "without its own lateness the verdict is another" "扣除压测端自身延迟后结论不同";
    doubt_late(share, from, to)
        "{share} of arrivals were released late between {from} and {to}" "{from}至{to}有{share}的请求发出过晚";
    doubt_cpu(share) "it used {share} of its CPU" "压测端 CPU 占用达{share}";
    doubt_unsent(share) "{share} of arrivals were not sent by its own fault" "{share}的请求因压测端自身原因未发出";

    // Figures
    failed_figure() "failed" "失败";
    more_than(figure) "> {figure}" "> {figure}";
    at_least(figure) "≥ {figure}" "≥ {figure}";
    less_than(figure) "< {figure}" "< {figure}";
    detail_outages(downtime, times) "{downtime} down per outage, {times} a month, of 30 days" "每次中断停机{downtime}，每月{times}，按 30 天计";
    detail_time(downtime, load) "{downtime} down of {load} under load" "加压{load}内停机{downtime}";
    detail_at_most(share) "none seen; at most {share} (95 %)" "未观测到停机；95% 置信上限{share}";
    detail_stray(span) "{span} down outside every outage" "另有{span}停机不属于任何故障";
    detail_unrecovered() "an outage had not recovered" "有故障未恢复";
    detail_budget(bad, budget) "{bad} bad of {budget} allowed" "失败{bad}次，预算{budget}次";
    detail_apdex(satisfied, tolerating, frustrated)
        "{satisfied} satisfied, {tolerating} tolerating, {frustrated} frustrated"
        "满意{satisfied}、可容忍{tolerating}、不满{frustrated}";
    detail_shared(faults) "one outage of {faults}" "与{faults}合为一次中断";
    interval(low, high) "95 % interval {low} – {high}, if requests were independent" "95% 区间{low} – {high}（假定请求相互独立）";

    // Measures
    measure_max() "max" "最大响应时间";
    measure_mean() "mean" "平均响应时间";
    measure_percentile(p) "{p} response" "{p}响应时间";
    measure_percentile_service(p) "{p} service time" "{p}服务时间";
    measure_availability() "availability" "可用率";
    measure_shed() "shed" "限流比例";
    measure_throughput() "throughput" "吞吐量";
    measure_unsent() "unsent" "未发出比例";
    measure_not_reached() "not reached" "未到达数";
    measure_downtime() "downtime" "停机时间";
    measure_fault_rate_outages() "fault rate (by outages)" "系统故障率（按次）";
    measure_fault_rate_time() "fault rate (by time)" "系统故障率（按时长）";
    measure_apdex(satisfied) "Apdex ({satisfied})" "客户满意度 Apdex（{satisfied}）";
    measure_budget_left(objective) "error budget left (of {objective})" "剩余错误预算（目标{objective}）";
    measure_burn_rate(objective) "burn rate (of {objective})" "错误预算消耗速率（目标{objective}）";
    measure_detection() "time to detect" "故障发现时间";
    measure_action() "time to act" "处置时间";
    measure_recovery(steady) "RTO (to {steady})" "RTO（恢复到{steady}）";
    measure_degraded(steady) "degraded time (to {steady})" "降级时长（至{steady}）";
    measure_cpu() "CPU" "CPU 占用";
    measure_memory() "memory" "内存占用";
    measure_capacity() "capacity" "容量";
    measure_headroom() "headroom" "容量余量";
    cores(n) "{n} cores" "{n}核";

    // Heads of sections and tables
    engineer_page() "Drill report" "演练报告";
    head_rate() "Planned against achieved" "计划与实际";
    head_steps() "Steps" "分步骤统计";
    head_phases() "Phases" "分阶段统计";
    head_targets() "Targets" "目标";
    head_faults() "Faults and recovery" "故障与恢复";
    head_actions() "Emergency plan" "应急处置";
    head_failures() "First failures" "最早的失败";
    head_generator() "Load generator" "压测端";
    head_timeline() "Timeline" "时间线";
    head_percentiles() "Response time over time" "响应时间变化";
    head_errors() "Errors by kind" "错误分类";
    head_watched() "Watched figures" "监视指标";
    watched_note()
        "Read once a second of the platform's own pages, each the sum over its label sets: counters as they grew, gauges as they were."
        "每秒从平台自身的指标页采集，按标签求和：计数器显示每秒增量，仪表值按原值显示。";
    head_system() "System load" "系统负载";
    head_distribution() "Response time by percentile" "响应时间分位分布";
    head_recovery() "Recovery" "恢复过程";
    head_budget() "Error budget" "错误预算";
    head_samples() "Samples of failures" "失败样本";
    head_about() "Run, versions and host" "运行、版本与主机";
    head_journeys() "Journeys" "业务流程";
    head_notes() "Notes" "说明";

    users_launched(launched, planned) "{launched} of {planned} users launched" "已启动用户{launched}/{planned}";
    users_ended(ended) "{ended} ended" "已结束{ended}";
    users_at_once(most, planned) "at most {most} at once, {planned} planned" "同时在线最多{most}，计划{planned}";

    head_search() "Capacity" "容量";
    col_trial() "trial" "试压";
    col_judged() "judged" "判定区间";
    col_came_out() "came out" "结果";
    trial_held() "held" "达标";
    trial_failed(missed) "failed: {missed}" "未达标：{missed}";
    trial_none(why) "no trial: {why}" "不作数：{why}";
    trial_probe() "look whether it has come back" "确认恢复";
    missed_figure(subject, figure, bound) "{subject} {figure} (must be {bound})" "{subject} {figure}（要求{bound}）";
    unfit_late(share) "{share} of arrivals were released late" "{share}的请求发出过晚";
    unfit_busy(share) "the generator used {share} of its CPU" "压测端 CPU 占用达{share}";
    unfit_unsent(share) "{share} of arrivals were not sent by the generator's own fault" "{share}的请求因压测端自身原因未发出";
    unfit_missing() "a part of what the generator counted is missing" "压测端的部分计数缺失";
    unfit_few(subject) "too few samples for {subject}" "{subject}样本不足";
    search_found(load, held, failed) "{load}: {held} held, {failed} failed" "{load}：{held}达标，{failed}未达标";
    search_all_held(load, to) "{load}: at least {to}, nothing failed" "{load}：不低于{to}，没有一档未达标";
    search_none_held(load, from) "{load}: below {from}, not even that held" "{load}：低于{from}，连这一档也未达标";
    search_open(load, held, why) "{load}: at least {held}, and no more is known: {why}" "{load}：不低于{held}，再无结论：{why}";
    search_nothing(load, why) "{load}: nothing was decided: {why}" "{load}：没有结论：{why}";
    search_width(width) "the range is {width} of its lower end wide" "区间宽度为下限的{width}";
    search_level_held(held, all) "held in {held} of {all}" "{all}中有{held}次达标";
    search_level_failed(failed, all) "failed in {failed} of {all}" "{all}中有{failed}次未达标";
    search_first(missed) "failed first: {missed}" "最先未达标：{missed}";
    search_headroom(headroom, peak) "headroom {headroom} over the planned peak of {peak}" "相对计划峰值{peak}，容量余量{headroom}";
    search_settling(settle, hold) "every trial goes on for {settle} before {hold} of it are judged; after a failed one the load falls to nothing until nothing is in flight, and the obligations must hold again at the lowest rate" "每次试压先运行{settle}，再判定{hold}；未达标后停止加压，待在途请求清空并在最低速率下重新达标后才继续";
    end_found() "found" "已找到";
    end_none_failed() "nothing failed" "没有一档未达标";
    end_none_held() "nothing held" "没有一档达标";
    end_generator() "two trials at one rate were none" "同一速率有两次试压不作数";
    end_not_recovered() "after a failed trial the platform did not come back in time" "一次未达标之后平台未能按时恢复";
    end_stopped() "the drill ended before" "演练提前结束";
    usl_fitted(lambda, alpha, beta, points) "Universal Scalability Law over {points}: λ {lambda}, α {alpha}, β {beta}" "通用可扩展性定律（{points}）：λ {lambda}，α {alpha}，β {beta}";
    usl_quality(r2, worst) "R² {r2}, at most {worst} off" "R² {r2}，最大偏差{worst}";
    usl_peak(peak, at) "its peak is {peak}, with {at} at once" "峰值{peak}，对应并发{at}";
    usl_limit(peak) "it comes ever nearer to {peak}" "趋近于{peak}";
    usl_endless() "it knows no limit within what was tried" "在试压范围内看不到上限";
    usl_few(have, need) "Universal Scalability Law not fitted: {have} of the {need} trials that it takes" "未拟合通用可扩展性定律：可用试压{have}次，需要{need}次";
    usl_narrow(spread) "Universal Scalability Law not fitted: the most concurrency is only {spread} times the least" "未拟合通用可扩展性定律：最大并发仅为最小并发的{spread}倍";
    usl_none() "Universal Scalability Law not fitted: no such law comes near" "未拟合通用可扩展性定律：没有合适的参数";
    plan_search(from, to, by) "search from {from} to {to} by {by}" "容量搜索：{from}至{to}，步长{by}";
    plan_search_longest(span) "at most {span} in all" "最长{span}";
    col_step() "step" "步骤";
    col_phase() "phase" "阶段";
    col_journey() "journey" "业务流程";
    col_requests() "requests" "请求数";
    col_ok() "ok" "成功";
    col_bad() "bad" "失败";
    col_shed() "shed" "限流";
    col_unsent() "unsent" "未发出";
    col_not_reached() "not reached" "未到达";
    col_availability() "availability" "可用率";
    col_rate() "ok/s" "吞吐量";
    col_window() "window" "时段";
    col_target() "target" "目标";
    col_measure() "measure" "指标";
    col_measured() "measured" "实测值";
    col_objective() "objective" "目标值";
    col_margin() "margin" "余量";
    col_verdict() "verdict" "判定";
    col_reason() "reason" "说明";
    col_visits() "visits" "访问数";
    col_failed() "failed" "失败";
    col_when() "when" "时刻";
    col_what() "what" "事件";
    col_kind() "kind" "类别";
    col_count() "count" "次数";
    col_mean() "mean" "平均";
    col_max() "max" "最大";
    col_action() "action" "处置步骤";
    col_by() "by" "责任人";
    col_begun() "begun" "开始";
    col_took() "took" "用时";
    col_outcome() "outcome" "结果";
    col_process() "process" "进程";
    col_cpu_mean() "CPU, mean" "CPU 平均";
    col_cpu_max() "CPU, max" "CPU 最大";
    col_memory_max() "memory, max" "内存最大";
    col_request() "request" "请求";
    col_answer() "answer" "响应";
    no_answer() "no answer came" "没有收到响应";

    // Planned against achieved
    rate_visits(planned, released, share)
        "visits: {planned} planned, {released} begun ({share})" "访问：计划{planned}，实际发起{released}（{share}）";
    rate_requests(requests, ok, bad, shed, unsent)
        "requests: {requests}: {ok} ok, {bad} bad, {shed} shed, {unsent} unsent"
        "请求：共{requests}，成功{ok}，失败{bad}，限流{shed}，未发出{unsent}";
    rate_peak(planned, most, ok)
        "peak: {planned} visits planned, which come to about {most} requests; {ok} ok requests"
        "峰值：计划访问{planned}，折合请求约{most}；成功请求{ok}";
    no_load() "No load was ever begun." "没有发起任何负载。";
    percentile_note()
        "Percentiles are of response time from the planned instant; bad requests count as slower than any bound."
        "分位数按计划发出时刻起算的响应时间统计；失败请求视为慢于任何界限。";

    // Faults
    fault_kill(what) "kill {what}" "强杀{what}";
    fault_disconnect(what) "take {what} off its networks" "断开{what}的网络";
    fault_pause(what) "pause {what}" "冻结{what}";
    fault_terminate(what) "terminate {what}" "终止{what}";
    fault_crash_loop(what, every) "crash {what} every {every}" "每隔{every}使{what}崩溃";
    fault_restart(what) "restart {what}" "重启{what}";
    fault_exhaust_files(what) "leave {what} no file to open" "耗尽{what}的文件描述符";
    fault_out_of_memory(what) "let {what} run out of memory" "使{what}内存耗尽";
    fault_slow_start(what, by) "start {what} {by} late, and slowly" "使{what}推迟{by}且缓慢启动";
    fault_skew_clock(what, by) "set the clock of {what} off by {by}" "使{what}的时钟偏移{by}";
    fault_slow_disk(what, write) "let {what} write {write} at the most" "将{what}的磁盘写入限制为{write}";
    fault_burn(cores) "keep {cores} busy" "占满{cores}";
    fault_burn_on(host, cores) "keep {cores} of {host} busy" "占满{host}的{cores}";
    fault_fill_memory_on(host, bytes) "take {bytes} of the memory of {host}" "占用{host}内存{bytes}";
    fault_fill_memory(bytes) "take {bytes} of memory" "占用内存{bytes}";
    fault_fill_disk(what, bytes) "take {bytes} of the disk of {what}" "占用{what}所在磁盘{bytes}";
    fault_run(command) "run {command}" "运行{command}";
    fault_delay(what) "delay {what}" "延迟{what}";
    fault_dns_nothing(who, name) "leave questions of {who} for {name} unanswered" "不应答{who}对{name}的查询";
    fault_dns_missing(who, name) "tell {who} that there is no {name}" "答复{who}：{name}不存在";
    fault_dns_failed(who, name) "fail questions of {who} for {name}" "使{who}对{name}的查询失败";
    fault_dns_wrong(who, name) "lead {who} astray that asks for {name}" "将{who}对{name}的查询引向错误地址";
    fault_dns_late(who, name, by) "answer questions of {who} for {name} {by} late" "将{who}对{name}的查询延迟{by}应答";
    any_name() "any name" "任意域名";
    fault_throttle(what) "throttle {what}" "限速{what}";
    fault_slice(what) "slice {what}" "切片{what}";
    fault_close_after(what) "cut {what} off" "截断{what}";
    fault_partition(one, other) "cut {one} off from {other}" "隔断{one}与{other}的网络";
    fault_drop(share, one, other) "lose {share} of the packets between {one} and {other}" "丢弃{one}与{other}之间{share}的数据包";
    fault_refuse_between(one, other) "refuse connections between {one} and {other}" "拒绝{one}与{other}之间的连接";
    fault_reset_between(one, other) "reset connections between {one} and {other}" "重置{one}与{other}之间的连接";
    fault_refuse(what) "refuse {what}" "拒绝连接{what}";
    fault_reset(what) "reset {what}" "重置{what}";
    fault_hang(what) "hang {what}" "挂起{what}";
    fault_slow_close(what) "close {what} slowly" "缓慢关闭{what}";
    fault_corrupt(what) "corrupt {what}" "篡改{what}";
    fault_respond(what, status) "answer {status} for {what}" "代{what}应答{status}";
    moment_ordered() "ordered" "下达";
    moment_effective() "effective" "生效";
    moment_breach() "breach" "稳态破坏";
    moment_detected() "detected" "发现";
    moment_heal_ordered() "heal ordered" "下达撤除";
    moment_healed() "healed" "撤除完成";
    moment_recovered() "recovered" "恢复";
    fault_never_ordered() "was never ordered" "未曾下达";
    fault_action_not_done(action) "was never ordered: {action} was not done" "未曾下达：{action}未完成";
    one_of_several(title, name) "{title} ({name})" "{title}（{name}）";
    shrink_trial(faults, verdict) "{faults}: {verdict}" "{faults}：{verdict}";
    shrink_no_fault() "no fault" "无故障";
    shrink_none() "the drill fails without any fault: look at the load and the platform first" "即使没有故障，演练也会失败：请先检查负载与平台";
    shrink_found(faults) "the smallest set of faults that still fails it: {faults}" "仍会导致失败的最小故障集合：{faults}";
    shrink_spent(faults) "no more drills may be made (--drills); it fails with these, and perhaps with fewer: {faults}" "演练次数已用完（--drills）；以下故障仍会导致失败，可能还可减少：{faults}";
    shrink_again(flags) "to run it again with these alone, add: {flags}" "仅以这些故障重新运行，请加上：{flags}";
    rehearsal_no_faults() "A rehearsal without faults: targets on faults are not judged." "无故障排练：不评定与故障相关的目标。";
    rehearsal_without() "Some faults were left out of this run." "本次运行略去了部分故障。";
    unjudged(targets) "Not judged: {targets}." "未评定：{targets}。";
    rehearsal_no_load() "A rehearsal without load: all that is judged is that each fault bites and is undone." "无负载排练：仅评定每个故障是否生效并被撤销。";
    fault_spared() "left out of this run" "本次运行不注入";
    worst_of(subject, fault) "{subject} (the worst: {fault})" "{subject}（最差一次：{fault}）";
    fault_not_effective(why) "did not take effect: {why}" "未生效：{why}";
    fault_not_healed(why) "could not be healed: {why}" "未能撤除：{why}";
    fault_not_detected() "not measured: no signal of the platform turned" "未测得：平台信号没有变化";
    fault_after_effective(span, by) "{span} after it took effect, by {by}" "生效后{span}，来自{by}";
    fault_recovered_not() "not while it was watched" "观测期内未恢复";
    fault_unseen(steady) "whether {steady} was breached could not be seen" "无法判断{steady}是否被破坏";
    fault_no_breach(steady) "no breach of {steady}" "{steady}未被破坏";
    fault_rto(rto, ordered) "{rto} from breach to recovered, {ordered} from the order" "从破坏到恢复{rto}，自下达起{ordered}";
    fault_down(down, degraded) "{down} down, {degraded} degraded" "停机{down}，降级{degraded}";
    fault_kept(share) "{share} of the steady throughput kept" "保持稳态吞吐量的{share}";
    fault_reopened(times) "held and was broken again {times}" "恢复后又被破坏{times}";
    fault_one_outage(faults) "one outage together with {faults}" "与{faults}合为一次中断";
    of_steady(steady) "steady state {steady}" "稳态{steady}";
    steady_held(at) "held from {at}" "自{at}起成立";
    steady_never_held() "never held" "从未成立";
    steady_stray(stretches) "missed outside every fault: {stretches}" "故障之外的偏离：{stretches}";
    steady_tight(what, share, allowed)
        "the bound on {what} is too tight: {share} count against it without any fault, of {allowed} allowed"
        "{what}的界限过紧：无故障时已有{share}计为偏离，允许{allowed}";

    // The machine that makes the load
    machine_files(needed, limit)
        "this machine allows {limit} open files, and a platform that answers nothing at the planned peak would hold {needed}: raise the limit (ulimit -Hn)"
        "本机最多打开 {limit} 个文件，而计划峰值下平台若不应答将占用 {needed} 个：请提高上限（ulimit -Hn）";
    machine_links(needed, limit)
        "this machine allows {limit} open files, and the fault proxy would hold {needed} if the platform answered nothing at the planned peak: raise the limit (ulimit -Hn)"
        "本机最多打开 {limit} 个文件，而计划峰值下平台若不应答，故障代理将占用 {needed} 个：请提高上限（ulimit -Hn）";
    host_fault(fault, kind, why) "fault `{fault}` ({kind}) cannot be made on this host: {why}" "本机无法注入故障 `{fault}`（{kind}）：{why}";
    host_process(process, why) "process `{process}` cannot be started on this host: {why}" "本机无法启动进程 `{process}`：{why}";
    host_networks(why) "networks cannot be made on this host: {why}" "本机无法创建网络：{why}";
    host_container(name, why) "container `{name}` cannot be hurt on this host: {why}" "本机无法对容器 `{name}` 注入故障：{why}";
    host_unreached(name, why) "nothing can be done on host `{name}`: {why}" "无法在主机 `{name}` 上执行操作：{why}";
    host_name(name, why) "`{name}` of `allow` has no address here: {why}" "`allow` 中的 `{name}` 在本机无法解析：{why}";
    machine_users(load, needed, limit)
        "this machine allows {limit} open files, and the users of {load} may need {needed} at once: raise the limit (ulimit -Hn) or plan fewer"
        "本机最多打开 {limit} 个文件，而{load}的用户可能同时需要 {needed} 个：请提高上限（ulimit -Hn）或减少用户";
    machine_ports(endpoint, needed, ports)
        "{endpoint} may need {needed} connections at once, and there are {ports} local ports towards one address: name more local addresses (connections: source) or widen net.ipv4.ip_local_port_range"
        "{endpoint}可能同时需要 {needed} 个连接，而本机到同一地址只有 {ports} 个本地端口：请增加本地地址（connections: source）或放宽 net.ipv4.ip_local_port_range";
    machine_rate(rate, most, workers)
        "requests are planned at up to {rate}, and this machine makes them at {most} at the most, as calibrated, with {workers}: plan less, or use a larger machine"
        "计划请求速率最高{rate}，而按校准结果（{workers}）本机最高{most}：请降低计划或换用更大的机器";
    machine_other(path)
        "the calibration in {path} is of another machine and is not used; `peakdrill calibrate` measures this one"
        "{path} 中的校准属于另一台机器，未予采用；可用 `peakdrill calibrate` 校准本机";
    machine_damaged(path, why)
        "the calibration in {path} cannot be read: {why}; `peakdrill calibrate` writes it anew"
        "{path} 中的校准无法读取：{why}；可用 `peakdrill calibrate` 重新生成";
    proxy_listens(at) "the fault proxy takes orders at http://{at} (Toxiproxy's API); Ctrl-C ends it" "故障代理在 http://{at} 接受指令（Toxiproxy 接口）；按 Ctrl-C 结束";
    proxy_failed(at, error) "the fault proxy cannot serve at {at}: {error}" "故障代理无法在{at}服务：{error}";
    machine_measured(rate, path)
        "one core of this machine makes requests at {rate} at the most; kept in {path}" "本机单核最高请求速率{rate}；结果保存在 {path}";

    // Generator
    generator_fine() "healthy" "正常";
    generator_doubtful() "in doubt" "存疑";
    generator_lag(p50, p99, max) "lag p50 {p50}, p99 {p99}, max {max}" "发出延迟 p50 {p50}，p99 {p99}，最大{max}";
    generator_late(share, limit) "{share} later than {limit} in its worst 10 s" "最差 10 秒内{share}晚于{limit}";
    generator_cpu(share) "CPU {share}" "CPU {share}";
    generator_unsent(count) "{count} unsent by its own fault" "自身原因未发出{count}";
    generator_files(files, limit) "{files} of {limit} open files" "打开文件{files}，上限{limit}";
    generator_unpacked(answers, packed, plain, took)
        "{answers} decompressed outside of their times, {packed} to {plain}, in {took}"
        "{answers}在计时之外解压，{packed}解为{plain}，用时{took}";
    generator_memory(size) "memory {size}" "内存{size}";
    generator_connections(count) "{count} open at most" "最多同时打开{count}";
    generator_ports(count, ports)
        "{count} open at most, with {ports} local ports to an address" "最多同时打开{count}，到同一地址有 {ports} 个本地端口";
    generator_clock(at, by) "the wall clock was stepped by {by} at {at}" "系统时钟在{at}被调整{by}";
    generator_missing(windows) "{windows} of workers never arrived" "缺少发压线程的{windows}";
    generator_handed_late(windows) "{windows} of workers came after their second was closed" "发压线程的{windows}在该秒关闭后才到达";

    // Kinds
    bad_connect() "no connection" "连接失败";
    bad_broken() "connection broke" "连接中断";
    bad_protocol() "not HTTP" "协议错误";
    bad_timeout() "timeout" "超时";
    bad_late() "not done in time" "逾期未完成";
    bad_status() "unexpected status" "状态码不符";
    bad_expectation() "unexpected body or header" "内容不符";
    bad_slow() "too slow" "响应过慢";
    bad_capture() "capture missing" "提取失败";
    bad_template() "template" "模板错误";
    bad_excess_shed() "shed beyond the limit" "限流超限";
    bad_abandoned() "abandoned" "未等到响应";
    bad_encoding() "broken compression" "压缩内容损坏";
    bad_redirect() "redirected astray" "重定向异常";
    bad_forbidden() "forbidden address" "禁止访问的地址";
    unsent_pool_full() "pool full (platform)" "连接池占满（平台）";
    unsent_pool_small() "pool too small (generator)" "连接池过小（压测端）";
    unsent_late() "too late (generator)" "发出过晚（压测端）";
    unsent_open_files() "open files (generator)" "打开文件数（压测端）";
    unsent_ports() "ports (generator)" "端口耗尽（压测端）";
    unsent_memory() "memory (generator)" "内存不足（压测端）";
    unsent_stopped() "stopped" "演练停止";
    failure_line(step, kind, count) "{step}: {kind}, {count}" "{step}：{kind}，{count}";
    failure_first(at, why) "first planned at {at}: {why}" "最早计划于{at}：{why}";

    // Events
    event_opened(program) "drill begins ({program})" "演练开始（{program}）";
    event_part(part, of, start) "part {part} of {of}, to start at {start}" "第{part}个分片（共{of}个），约定开始时刻{start}";
    event_approved(key, until) "approved by the key {key} until {until}" "已由密钥{key}批准，有效至{until}";
    event_merged(parts, runs) "merged from {runs}, of {parts}" "由{runs}合并而成，整体共{parts}";
    event_bindings(addresses) "addresses: {addresses}" "地址：{addresses}";
    event_started(process, pid) "{process} started (pid {pid})" "{process}已启动（pid {pid}）";
    event_ready(process) "{process} is ready" "{process}就绪";
    event_died(process, status) "{process} died: {status}" "{process}自行退出：{status}";
    event_stopped(process) "{process} stopped" "{process}已停止";
    event_chore_done(which, took) "{which} done in {took}" "{which}完成，用时{took}";
    event_chore_failed(which, why) "{which} failed: {why}" "{which}失败：{why}";
    chore_prepare(n) "prepare {n}" "准备步骤{n}";
    chore_cleanup(n) "cleanup {n}" "清理步骤{n}";
    event_load_began() "load begins" "开始加压";
    event_load_ended() "load ends" "停止加压";
    event_drained() "everything in flight is done" "在途请求全部完成";
    event_drained_abandoned(n) "drained, {n} abandoned" "排空结束，放弃{n}";
    event_ordered(fault) "{fault}: ordered" "{fault}：下达";
    event_effective(fault, proof) "{fault}: effective, {proof}" "{fault}：生效，{proof}";
    event_not_effective(fault, why) "{fault}: did not take effect, {why}" "{fault}：未生效，{why}";
    event_heal_ordered(fault) "{fault}: heal ordered" "{fault}：下达撤除";
    event_healed(fault, proof) "{fault}: healed, {proof}" "{fault}：撤除完成，{proof}";
    event_not_healed(fault, why) "{fault}: could not be healed, {why}" "{fault}：未能撤除，{why}";
    sight_gone(process, n) "{process} is gone ({n})" "{process}已消失（{n}）";
    sight_ready(process, pid) "{process} is ready again as pid {pid}" "{process}重新就绪，进程号{pid}";
    sight_crashed(process, n) "{process} crashed {n}, and runs" "{process}共崩溃{n}，现已运行";
    sight_still(process, n) "{process} stands still ({n})" "{process}已停住（{n}）";
    sight_goes_on(process, n) "{process} goes on ({n})" "{process}继续运行（{n}）";
    sight_bites(link, verb) "the link {link} was seen to suffer it ({verb})" "已观测到链路{link}受影响（{verb}）";
    sight_passes(link, n) "nothing is wrong with the link {link} any more; it suffered {n}" "链路{link}已恢复正常，共受影响{n}";
    sight_never_bit(link) "nothing passed the link {link} that it could have bitten" "链路{link}上没有可受影响的流量";
    sight_exhausted(process, files) "{process} may have no more than {files} open files, and takes no new connection" "{process}最多只能打开{files}个文件，不再接受新连接";
    sight_full(process, files) "{process} may have no more than {files} open files, and has them" "{process}最多只能打开{files}个文件，且均已用满";
    sight_still_answers(process) "{process} still answers on new connections" "{process}在新连接上仍有应答";
    sight_relieved(process) "{process} has its limits back and is ready" "{process}的限制已恢复，且已就绪";
    sight_out_of_memory(process, kills, by) "the kernel ended {process} for want of memory ({kills}, by {by})" "内核因内存不足终止了{process}（{kills}，由{by}限制）";
    sight_starved(process, members, by) "{process} ended for want of memory ({members}, by {by})" "{process}因内存不足而结束（{members}，由{by}限制）";
    sight_lives_on(process, by) "{process} lives on with no more memory to be had ({by})" "{process}在无法再获得内存时仍在运行（{by}）";
    sight_came_up(process, share) "{process} was started late, and ran {share} of the time" "{process}推迟启动，且只有{share}的时间在运行";
    ahead(by) "{by} ahead" "快{by}";
    behind(by) "{by} behind" "慢{by}";
    sight_skewed(process, by) "the clock of {process} is {by}" "{process}的时钟{by}";
    sight_skewed_dated(process, by) "the clock of {process} is {by}, as its answers say too" "{process}的时钟{by}，其应答中的日期也一致";
    sight_clock_right(process) "the clock of {process} is right again" "{process}的时钟已恢复正确";
    sight_clock_stands(process) "the clock of {process} does not show what it was told" "{process}的时钟未按要求变化";
    sight_not_loaded(process, pid) "process {pid} of {process} has not loaded libfaketime (a static program, or one that asks the kernel itself)" "{process}的进程{pid}未加载libfaketime（静态程序，或自行读取内核时钟）";
    sight_not_skewable(process) "{process} was not started with clock: skewable" "{process}未以 clock: skewable 启动";
    sight_slow_disk(process, write, before) "what {process} writes comes through at {write}, and at {before} without the limit" "{process}的写入速率为{write}，不受限时为{before}";
    sight_slow_disk_both(process, write, before, read) "what {process} writes comes through at {write}, and at {before} without the limit; it reads {read}" "{process}的写入速率为{write}，不受限时为{before}；读取速率为{read}";
    sight_fast_disk(process, write) "what {process} writes comes through at {write} again" "{process}的写入速率恢复为{write}";
    sight_disk_not_slowed(process, before, now) "the limit makes no difference to what {process} writes: {now}, and {before} without it" "限速对{process}的写入没有作用：{now}，不受限时为{before}";
    sight_disk_stays_slow(process, before, now) "what {process} writes still comes through at {now}, after {before} under the limit" "{process}的写入速率仍为{now}，限速时为{before}";
    sight_bit(verb, packets) "the rules between both sides have bitten {packets} ({verb})" "两侧之间的规则已命中{packets}（{verb}）";
    sight_lifted(packets) "there are no rules between both sides any more; they bit {packets}" "两侧之间的规则已解除，共命中{packets}";
    sight_nothing_between() "the two sides sent each other nothing that it could have bitten" "两侧之间没有可受影响的流量";
    sight_cut_off(from, to) "{from} does not reach {to}" "{from}无法连通{to}";
    sight_reaches(from, to) "{from} reaches {to}" "{from}可以连通{to}";
    sight_slowed(process, verb, n) "what {process} sends and gets was held back {n} ({verb})" "{process}的收发流量已受限{n}（{verb}）";
    sight_never_slowed(process) "{process} sent and got too little to be held back" "{process}的收发流量过少，未受限";
    sight_at_full_speed(process) "nothing holds back what {process} sends and gets any more" "{process}的收发流量已不受限";
    sight_not_answered(process, n) "{process} asked for names and was not answered: {n}" "{process}的域名查询未得到应答（{n}）";
    sight_name_missing(process, n) "{process} asked for names and was told that there are none such: {n}" "{process}的域名查询被答复“域名不存在”（{n}）";
    sight_name_failed(process, n) "{process} asked for names and was told that the server cannot tell: {n}" "{process}的域名查询被答复“服务器失败”（{n}）";
    sight_led_astray(process, n) "{process} asked for names and was told an address that nobody has: {n}" "{process}的域名查询被答复错误地址（{n}）";
    sight_answered_late(process, by, n) "{process} asked for names and was answered {by} late: {n}" "{process}的域名查询被延迟{by}应答（{n}）";
    sight_never_asked(process) "{process} asked for no name that is broken" "{process}未查询受影响的域名";
    sight_led_right(process, n) "a question from where {process} lives is answered rightly (it was misled {n})" "{process}处的域名查询已得到正确应答（期间受影响{n}）";
    sight_still_misled(process) "a question from where {process} lives is not answered rightly" "{process}处的域名查询仍未得到正确应答";
    sight_container_ended(name) "container {name} has ended" "容器{name}已结束";
    sight_container_runs(name) "container {name} runs again" "容器{name}重新运行";
    sight_container_paused(name) "container {name} is paused" "容器{name}已暂停";
    sight_container_goes_on(name) "container {name} goes on" "容器{name}继续运行";
    sight_container_cut_off(name, networks) "container {name} is off all its networks ({networks})" "容器{name}已断开全部网络（{networks}）";
    sight_container_connected(name, networks) "container {name} is on its networks again ({networks})" "容器{name}已重新接入网络（{networks}）";
    sight_container_not_running(name) "container {name} was not running" "容器{name}此前未在运行";
    sight_container_paused_before(name) "container {name} was paused already" "容器{name}此前已暂停";
    sight_container_as_before(name) "container {name} is as it was before" "容器{name}与注入之前相同";
    sight_container_stays_hurt(name) "container {name} is not what it was before the fault" "容器{name}未恢复原状";
    sight_container_unwell(name) "container {name} runs again, and its health check does not say that it is well" "容器{name}重新运行，但其健康检查未通过";
    sight_burns(cores) "{cores} are kept busy" "已占用{cores}";
    sight_idle(cores) "only {cores} are kept busy" "仅占用{cores}";
    sight_taken(bytes) "{bytes} are taken" "已占用{bytes}";
    sight_short(bytes) "only {bytes} could be taken" "仅能占用{bytes}";
    sight_released() "what was taken is given back" "占用的资源已释放";
    sight_unheard(why) "whether it was in force until then is not known ({why})" "无法确认其间是否一直生效（{why}）";
    sight_in_force() "its check says that it is in force" "检查程序确认故障已生效";
    sight_not_in_force() "its check says that it is not in force any more" "检查程序确认故障已解除";
    sight_in_force_already() "its check said so before anything was done" "注入之前检查程序已报告生效";
    sight_never_seen() "it was not seen to be in force in time" "未能及时观测到故障生效";
    sight_left_to_platform() "left to the platform, as planned" "按计划由平台自行恢复，未作处理";
    sight_gone_already(process) "{process} was gone already" "{process}此前已不在";
    sight_foreign(process) "{process} runs outside the drill, which could not start it again" "{process}在演练之外运行，无法由演练重新启动";
    sight_lives(process) "{process} still lives" "{process}仍在运行";
    sight_moves(process) "{process} would not stand still" "{process}未能停住";
    sight_ended(process) "{process} ended by itself meanwhile" "{process}期间自行退出";
    sight_stays_still(process) "{process} still stands still" "{process}仍然停住";
    sight_no_target() "it is aimed at nothing" "没有作用对象";
    sight_no_wound() "nothing is known of how it was done" "注入方式未知";
    sight_harness_failed() "the harness failed" "压测端自身故障";
    sight_given_up() "given up at the second signal" "收到第二次中断信号后放弃";
    event_breach(fault, steady) "{fault}: breach of {steady}" "{fault}：稳态{steady}被破坏";
    event_recovered(fault, steady) "{fault}: recovered to {steady}" "{fault}：恢复到稳态{steady}";
    event_detected(fault, watch) "{fault}: detected by {watch}" "{fault}：由{watch}发现";
    event_probe_good(watch) "{watch} turned good" "{watch}转为正常";
    event_probe_bad(watch, why) "{watch} turned bad: {why}" "{watch}转为异常：{why}";
    event_action_begun(action) "{action} begins" "{action}开始";
    action_enter() "press Enter once it is done" "完成后请按回车键";
    action_terminal() "confirmed at the terminal" "在终端确认";
    action_alert(watch) "confirmed by a POST to {watch}" "由发往{watch}的 POST 请求确认";
    action_post(listen) "POST to http://{listen} once it is done" "完成后请向 http://{listen} 发送 POST 请求";
    action_done() "done" "完成";
    action_late(within) "not done within {within}" "{within}内未完成";
    action_failed(why) "failed: {why}" "失败：{why}";
    action_given_up() "not done when the drill ended" "演练结束时仍未完成";
    event_alert(watch, text) "{watch} alerted: {text}" "{watch}告警：{text}";
    event_resolved(watch, text) "{watch} said that it is resolved: {text}" "{watch}告警已解除：{text}";
    event_steady_held(steady) "steady state {steady} had held" "稳态{steady}已成立";
    event_steady_missed(steady) "steady state {steady} had not held" "稳态{steady}未成立";
    event_aborting(abort) "abort condition {abort} holds" "中止条件{abort}成立";
    event_trial(number, rate) "trial {number} begins: {rate}" "第{number}次试压开始：{rate}";
    event_probe_trial(number, rate) "trial {number} begins: {rate}, to see that the platform has come back" "第{number}次试压开始：{rate}，确认平台已恢复";
    event_trial_ended(number, end) "trial {number}: {end}" "第{number}次试压：{end}";
    event_search_ended(load) "the search of {load} is over" "{load}的容量搜索结束";
    event_signalled(signal, count) "{signal}, received {count}" "收到{signal}，{count}";
    event_clock(by) "the wall clock was stepped by {by}" "系统时钟被调整{by}";
    event_residue(what) "left: {what}" "残留：{what}";
    event_ended(reason) "drill ends: {reason}" "演练结束：{reason}";
    event_phase(phase) "phase {phase} begins" "进入{phase}阶段";
    unknown_reason() "no reason given" "未说明原因";

    // Charts
    chart_rate() "Planned and achieved rate" "计划与实际速率";
    chart_requests() "Requests by outcome" "请求结果";
    chart_percentiles() "Response time percentiles (ok requests)" "响应时间分位数（成功请求）";
    chart_errors() "Errors by kind" "错误分类";
    chart_cpu() "CPU of each process" "各进程 CPU";
    chart_watched(figure) "{figure}" "{figure}";
    chart_memory() "Memory of each process" "各进程内存";
    chart_distribution() "Response time by percentile (ok requests)" "响应时间分位分布（成功请求）";
    chart_recovery(fault) "Recovery from {fault}" "故障恢复曲线：{fault}";
    chart_budget(objective) "Error budget left, objective {objective}" "剩余错误预算，目标{objective}";
    chart_usl(load) "Throughput by concurrency: {load}" "吞吐量与并发：{load}";
    axis_concurrency() "concurrency" "并发";
    line_law() "Universal Scalability Law" "通用可扩展性定律";
    line_trials() "trials" "试压";
    chart_users() "Users" "用户数";
    axis_users() "users" "用户";
    line_there() "there" "在线";
    axis_time() "time since the drill's start" "演练开始后的时间";
    axis_rate() "per second" "次/秒";
    axis_response() "response time" "响应时间";
    axis_cores() "cores in use" "占用核数";
    axis_memory() "resident memory" "常驻内存";
    axis_growth() "grown by, per second" "每秒增长";
    axis_value() "value" "数值";
    axis_ratio() "ratio since the load began" "加压以来的比值";
    axis_percentile() "percentile" "百分位";
    axis_budget() "budget left" "剩余预算";
    line_planned() "visits planned" "计划访问";
    line_released() "visits begun" "实际访问";
    line_ok() "ok requests" "成功请求";
    line_bad() "bad" "失败";
    line_shed() "shed" "限流";
    line_unsent() "unsent" "未发出";
    line_off() "failed: the rank falls among bad requests" "失败：该分位落在失败请求中";
    nothing_to_draw() "There is no data for this chart." "该图无数据。";
    no_errors() "No request failed." "没有失败请求。";
    no_faults() "The scenario injects no fault." "场景未注入故障。";
    no_vitals() "No process was watched." "未监视任何进程。";
    no_failures() "No failure was kept." "没有失败样本。";

    // Run
    run_word() "run" "运行编号";
    seed_word() "seed" "随机种子";
    profile_word() "profile" "配置档";
    started_word() "started" "开始时间";
    under_load_word() "under load" "加压时长";
    program_word() "program" "程序";
    host_word() "host" "主机";
    host_facts(cores, memory, cpu, kernel) "{cores}, {memory}, {cpu}, {kernel}" "{cores}，{memory}，{cpu}，{kernel}";
    formats_word() "formats" "格式版本";
    formats(plan, summary) "plan {plan}, summary {summary}" "计划{plan}，摘要{summary}";
    plan_hash_word() "plan (SHA-256)" "计划（SHA-256）";
    emergency_plan_word() "emergency plan" "应急预案";
    owner_word() "owner" "负责人";
    environment_word() "environment" "环境";
    differs_word() "differs from production" "与生产环境的差异";
    purpose_word() "purpose" "演练目的";
    scope_word() "scope" "演练范围";
    people_word() "people" "参演人员";
    report_at(place) "Report: {place}" "报告：{place}";
    resolution_note(seconds) "Figures of steps are kept in steps of {seconds} s." "分步骤数据按{seconds}秒粒度保存。";
    closing_note()
        "Times are offsets from the drill's start on the harness's own clock."
        "时间均为自演练开始起、以压测端时钟为准的偏移量。";
    plan_full() "The plan as it was run (plan.json)" "实际执行的计划（plan.json）";
    residue_line(what, command) "{what}; remove it with: {command}" "{what}；清除命令：{command}";

    // The plan's page
    plan_heading(name) "Plan: {name}" "执行计划：{name}";
    plan_takes(span) "takes {span}" "历时{span}";
    plan_arrivals() "Arrivals (visits started per second)" "到达率（每秒发起的访问）";
    plan_closed() "users, a closed load" "用户数（闭环负载）";
    plan_load_line(visits, peak) "{visits} in all, {peak} at its peak" "共{visits}，峰值{peak}";
    plan_spacing_even() "evenly spaced" "均匀间隔";
    plan_spacing_poisson() "Poisson" "泊松间隔";
    plan_spacing_log() "as the log says" "按日志时刻";
    plan_rates(file, lines) "Rates from {file}: {lines} lines" "速率取自{file}，共{lines}行";
    plan_replay(file, requests, speed, amplify)
        "Replay of {file}: {requests} of it, {speed} times as fast, each session {amplify} times"
        "回放{file}：取其中{requests}，速度{speed}倍，每个会话{amplify}份";
    plan_left_out(methods, paths, refused)
        "Left out: {methods} of other methods, {paths} of other paths, {refused} answered with 4xx then"
        "未回放：其他方法{methods}条，其他路径{paths}条，当时应答为4xx的{refused}条";
    plan_users(most, all, pace) "{most} users at the most, {all} in all{pace}; each begins a journey when the one before is done" "用户最多{most}，共{all}{pace}；前一流程完成后再开始下一个";
    plan_pace(pace) ", at most one journey in {pace} each" "，每人每{pace}最多一个流程";
    plan_mix() "Mix" "业务配比";
    plan_follows() "Requests per second that follow" "由此产生的每秒请求数";
    plan_follows_note()
        "if every step is reached once for each time the plan repeats it; polls and conditions can change it"
        "按每步均到达、循环按计划次数估算；轮询与条件分支会改变该值";
    plan_peak_word() "at the peak" "峰值";
    plan_total_word() "in all" "合计";
    plan_processes() "Platform" "被测平台";
    plan_link(to) "a fault proxy, to {to}" "故障代理，通向{to}";
    plan_host(address, command) "a host at {address}, by {command}" "主机 {address}，经由 {command}";
    plan_attached(how) "attached to ({how})" "接入已有进程（{how}）";
    plan_attach_pid(file) "pid file {file}" "pid 文件{file}";
    plan_attach_port(port) "port {port}" "端口{port}";
    plan_timeline() "Timeline" "时间线";
    plan_drill_end() "the drill ends" "演练结束";
    plan_fault_after(fault, moment, offset) "{fault}.{moment} + {offset}" "{fault}.{moment} + {offset}";
    plan_fault_lasts(what, at, lasts) "{what}, at {at}, for {lasts}" "{what}，于{at}开始，持续{lasts}";
    plan_fault_until(what, at, until) "{what}, at {at}, until {until}" "{what}，于{at}开始，至{until}";
    plan_fault_platform(what, at) "{what}, at {at}, left to the platform" "{what}，于{at}开始，由平台自行恢复";
    plan_fault_when(subject, bound) "once {subject} is {bound}" "{subject}{bound}时";
    plan_fault_spared(what) "{what}: left out of this run" "{what}：本次运行不注入";
    plan_steady() "Steady states" "稳态";
    plan_hold(hold) "for {hold}" "保持{hold}";
    plan_aborts() "Aborts when" "中止条件";
    plan_over(over) "over {over}" "滑动窗口{over}";
    plan_allow() "May reach" "允许访问";
    plan_any_port() "any port" "任意端口";
    plan_values() "Values and where they come from" "取值及其来源";
    plan_warnings() "Warnings" "警告";
    plan_steps_chore(steps) "{steps} of requests" "{steps}请求";
    plan_each_chore(steps, feed, rows, rate) "{steps} with each of the {rows} rows of feed.{feed}, {rate}" "以feed.{feed}的{rows}行逐行执行{steps}，{rate}";
    plan_into_chore(each, feed) "{each}, into feed.{feed}" "{each}，生成feed.{feed}";
    plan_within(span) "within {span}" "限时{span}";
    plan_nothing() "nothing" "无";

    // The live line
    live_before_load() "before load" "加压前";
    live_between() "no phase" "无阶段";
    live_after_load() "after load" "加压后";
    live_rate(planned, released) "{planned}/s planned, {released}/s begun" "计划{planned}/s，实际{released}/s";
    live_bad(share) "bad {share}" "失败{share}";
    live_unsent(n) "unsent {n}" "未发出{n}";
    live_waiting(n) "waiting {n}" "等待{n}";
    live_fault(fault) "FAULT {fault}" "故障：{fault}";
    live_down() "DOWN" "停机";
    live_unsteady(steady) "{steady} broken" "{steady}偏离";
}
