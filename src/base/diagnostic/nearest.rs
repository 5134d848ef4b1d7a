/// The one of `known` that a person who wrote `word` most likely meant; none when nothing is near.
///
/// Near is an edit distance (insert, delete, replace, swap neighbours) of at most a third of the longer word, or one that
/// differs in case, `-`, `_` and spaces only, or one that the other begins with.
pub fn nearest<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let plain = |text: &str| -> Vec<char> {
        text.chars().filter(|c| !matches!(c, '-' | '_' | ' ')).flat_map(char::to_lowercase).take(64).collect()
    };
    let wanted = plain(word);
    known
        .into_iter()
        .filter_map(|candidate| {
            let other = plain(candidate);
            let longest = wanted.len().max(other.len());
            let shared = wanted.iter().zip(&other).take_while(|(a, b)| a == b).count();
            let begins = shared >= 3 && shared == wanted.len().min(other.len());
            let distance = distance(&wanted, &other);
            let near = distance <= longest / 3 || (distance == 0 && longest > 0);
            (near || begins).then_some((distance, candidate))
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Edit distance with swaps of neighbours (optimal string alignment).
fn distance(a: &[char], b: &[char]) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let replace = last[j] + usize::from(x != y);
            let mut best = replace.min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && a[i - 1] == *y && *x == b[j - 1] {
                best = best.min(before[j - 1] + 1);
            }
            row.push(best);
        }
        before = std::mem::replace(&mut last, row);
    }
    last.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_was_meant() {
        let words = ["process", "processes", "profiles", "expect", "at-most", "at-least", "get"];
        assert_eq!(nearest("proccess", words), Some("process"));
        assert_eq!(nearest("at_most", words), Some("at-most"));
        assert_eq!(nearest("exepct", words), Some("expect"));
        assert_eq!(nearest("Get", words), Some("get"));
        assert_eq!(nearest("expectation", words), Some("expect"));
        assert_eq!(nearest("zebra", words), None);
        assert_eq!(nearest("", words), None);
        assert_eq!(nearest("x", ["y"]), None);
        assert_eq!(nearest("no", ["on", "off"]), None);
        assert_eq!(nearest("gt", ["get", "put"]), Some("get"));
    }
}
