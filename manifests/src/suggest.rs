//! "Did you mean": the nearest of the texts that are accepted.

/// The nearest candidate, if one is near enough to be meant.
pub(crate) fn nearest<'a>(text: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wanted = fold(text);
    // A long text is no slip of the pen, and comparing it with many would take long.
    if wanted.is_empty() || wanted.len() > 64 {
        return None;
    }
    candidates
        .into_iter()
        .map(|candidate| (distance(&wanted, &fold(candidate)), candidate))
        .filter(|(distance, candidate)| *distance <= wanted.len().max(candidate.chars().count()) / 3)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// `idle_after` and `idle-after` are `idleAfter` to a reader.
fn fold(text: &str) -> Vec<char> {
    text.chars().filter(|c| !matches!(c, '_' | '-' | ' ')).flat_map(char::to_lowercase).collect()
}

/// How many characters to insert, remove, replace or swap with their neighbour.
fn distance(a: &[char], b: &[char]) -> usize {
    let width = b.len() + 1;
    let mut before: Vec<usize> = vec![0; width];
    let mut above: Vec<usize> = (0..width).collect();
    for (i, x) in a.iter().enumerate() {
        let mut row = vec![i + 1; width];
        for (j, y) in b.iter().enumerate() {
            let replaced = above[j] + usize::from(x != y);
            row[j + 1] = replaced.min(above[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && a[i - 1] == *y && *x == b[j - 1] {
                row[j + 1] = row[j + 1].min(before[j - 1] + 1);
            }
        }
        before = std::mem::replace(&mut above, row);
    }
    above[b.len()]
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn slips_are_recognised_and_other_words_are_not() {
        let fields = ["idleAfter", "image", "env", "memory", "dependsOn"];
        for (text, meant) in [
            ("idleAfer", Some("idleAfter")),
            ("idle_after", Some("idleAfter")),
            ("IDLEAFTER", Some("idleAfter")),
            ("iamge", Some("image")),
            ("evn", Some("env")),
            ("depends-on", Some("dependsOn")),
            ("replicas", None),
            ("", None),
            ("ß", None),
        ] {
            assert_eq!(nearest(text, fields), meant, "{text}");
        }
    }
}
