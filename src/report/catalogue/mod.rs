//! All words for people, in English and Chinese, and how numbers are written. Nothing else in the program holds a
//! sentence of a report.

mod messages;
mod reasons;
mod sights;
mod units;

use std::fmt::Display;

use crate::base::units::{Lang, Text};

/// The catalogue in one language: a function for each message, in `messages`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Words {
    lang: Lang,
}

/// One message as data, for templates and for the test that both languages say the same.
pub(super) struct Message {
    pub(super) key: &'static str,
    pub(super) args: &'static [&'static str],
    pub(super) en: &'static str,
    pub(super) zh: &'static str,
}

impl Words {
    pub const fn new(lang: Lang) -> Words {
        Words { lang }
    }

    pub const fn lang(self) -> Lang {
        self.lang
    }

    /// The title of a named thing where it has one, else its name.
    pub fn title(self, title: &Text, name: &str) -> String {
        title.get(self.lang).unwrap_or(name).to_owned()
    }

    /// The title of a named thing with its name behind it, where they differ: `Place an order (place-order)`.
    pub fn titled(self, title: &Text, name: &str) -> String {
        match title.get(self.lang) {
            Some(title) if title != name => self.with_name(title, name),
            _ => name.to_owned(),
        }
    }

    /// The messages without arguments, by key.
    pub(super) fn plain(self) -> impl Iterator<Item = (&'static str, &'static str)> {
        messages::MESSAGES.iter().filter(|message| message.args.is_empty()).map(move |message| {
            (
                message.key,
                match self.lang {
                    Lang::En => message.en,
                    Lang::Zh => message.zh,
                },
            )
        })
    }

    /// `a, b and c`.
    pub(super) fn list<T: Display>(self, items: &[T]) -> String {
        match items {
            [] => String::new(),
            [one] => one.to_string(),
            [first @ .., last] => {
                let comma = match self.lang {
                    Lang::En => ", ",
                    Lang::Zh => "、",
                };
                let first: Vec<String> = first.iter().map(T::to_string).collect();
                self.and(first.join(comma), last)
            }
        }
    }
}

/// A Chinese text with its arguments put in, and a blank where an ideograph meets a Latin letter or digit at the joint.
/// Arguments themselves are never changed: a command must stay as it is.
fn joined(text: &str, args: &[(&str, &dyn Display)]) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        let Some((name, after)) = after.split_once('}') else { break };
        join(&mut out, before);
        if let Some((_, value)) = args.iter().find(|(known, _)| *known == name) {
            join(&mut out, &value.to_string());
        }
        rest = after;
    }
    join(&mut out, rest);
    out
}

fn join(out: &mut String, piece: &str) {
    let ideograph = |c: char| ('\u{3400}'..='\u{9fff}').contains(&c);
    let latin = |c: char| c.is_ascii_alphanumeric() || c == '%';
    if let (Some(last), Some(first)) = (out.chars().next_back(), piece.chars().next())
        && ((ideograph(last) && latin(first)) || (latin(last) && ideograph(first)))
    {
        out.push(' ');
    }
    out.push_str(piece);
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn placeholders(text: &str) -> BTreeSet<&str> {
        text.split('{').skip(1).filter_map(|rest| rest.split('}').next()).collect()
    }

    #[test]
    fn both_languages_say_every_message_with_the_same_arguments() {
        let mut keys = BTreeSet::new();
        for message in messages::MESSAGES {
            assert!(keys.insert(message.key), "`{}` stands twice", message.key);
            let args: BTreeSet<&str> = message.args.iter().copied().collect();
            for text in [message.en, message.zh] {
                assert!(!text.trim().is_empty(), "`{}` is empty", message.key);
                assert_eq!(placeholders(text), args, "arguments of `{}`", message.key);
            }
        }
        assert!(keys.len() > 150);
    }

    #[test]
    fn every_message_is_said_somewhere() {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let mut said = String::new();
        for room in ["report", "live", "cli"] {
            let mut folders = vec![root.join(room)];
            while let Some(folder) = folders.pop() {
                for entry in std::fs::read_dir(folder).into_iter().flatten() {
                    let path = entry.unwrap().path();
                    if path.is_dir() {
                        folders.push(path);
                    } else if path.extension().is_some_and(|end| end == "rs" || end == "html") {
                        said += &std::fs::read_to_string(path).unwrap();
                    }
                }
            }
        }
        let unsaid = |key: &str| !said.contains(&format!(".{key}(")) && !said.contains(&format!("w.{key}"));
        let unsaid: Vec<&str> =
            messages::MESSAGES.iter().map(|message| message.key).filter(|key| unsaid(key)).collect();
        assert_eq!(unsaid, Vec::<&str>::new());
    }

    #[test]
    fn blanks_stand_between_scripts_only() {
        let words = Words::new(Lang::Zh);
        assert_eq!(words.event_detected("丢失 node", "health"), "丢失 node：由 health 发现");
        assert_eq!(words.event_detected("故障", "健康检查"), "故障：由健康检查发现");
        assert_eq!(words.residue_line("目录", "rm -r /tmp/目录a"), "目录；清除命令：rm -r /tmp/目录a");
    }

    /// What is the same in both languages is a joint, without words.
    #[test]
    fn chinese_is_chinese() {
        for message in messages::MESSAGES {
            if message.zh == message.en {
                let mut words = message.zh.to_owned();
                for arg in message.args {
                    words = words.replace(&format!("{{{arg}}}"), "");
                }
                let known = words.replace("CPU", "").replace("FAULT", "");
                assert!(!known.contains(char::is_alphabetic), "`{}` is not translated: {}", message.key, message.zh);
            }
        }
    }

    #[test]
    fn lists_read_as_sentences_do() {
        assert_eq!(Words::new(Lang::En).list(&["a", "b", "c"]), "a, b and c");
        assert_eq!(Words::new(Lang::Zh).list(&["甲", "乙", "丙"]), "甲、乙和丙");
    }
}
