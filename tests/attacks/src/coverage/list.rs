/// An attack of `data/attacks.txt`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attack {
    /// 1 for S01.
    pub number: u32,
    /// What has to exist before it applies; nothing when it applies now.
    pub later: Option<String>,
    /// What is attacked.
    pub title: String,
}

/// A requirement of `data/asvs-5.0.0.txt`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requirement {
    /// Such as `6.2.8`.
    pub number: String,
    /// Its chapter.
    pub chapter: u32,
    /// 1 to 3.
    pub level: u32,
    /// Whether it can only be checked by reading documents.
    pub by_reading: bool,
    /// What it asks for.
    pub title: String,
}

/// The chapters of the ASVS that are in the list as a whole.
pub(super) const WHOLE_CHAPTERS: [(u32, &str); 5] = [
    (6, "Authentication"),
    (7, "Session management"),
    (8, "Authorization"),
    (9, "Self-contained tokens"),
    (10, "OAuth and OIDC"),
];

/// All attacks, in order. A line that cannot be read is left out; the tests count them.
pub fn attacks() -> Vec<Attack> {
    let lines = lines(include_str!("../../data/attacks.txt"));
    lines.filter_map(attack).collect()
}

/// All requirements, in order. A line that cannot be read is left out; the tests count them.
pub fn requirements() -> Vec<Requirement> {
    let lines = lines(include_str!("../../data/asvs-5.0.0.txt"));
    lines.filter_map(requirement).collect()
}

fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter(|line| !line.starts_with('#'))
}

fn attack(line: &str) -> Option<Attack> {
    let (head, title) = line.split_once(" | ")?;
    let (number, when) = head.split_once(' ')?;
    let later = match when {
        "now" => None,
        _ => Some(when.strip_prefix("later: ")?.to_owned()),
    };
    Some(Attack {
        number: number.strip_prefix('S')?.parse().ok()?,
        later,
        title: title.to_owned(),
    })
}

fn requirement(line: &str) -> Option<Requirement> {
    let mut parts = line.splitn(4, ' ');
    let number = parts.next()?.to_owned();
    Some(Requirement {
        chapter: number.split('.').next()?.parse().ok()?,
        number,
        level: parts.next()?.parse().ok()?,
        by_reading: parts.next()? == "D",
        title: parts.next()?.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_lists_is_read() {
        let numbers: Vec<_> = attacks().iter().map(|attack| attack.number).collect();
        assert_eq!(numbers, (1..=48).collect::<Vec<_>>());
        let requirements = requirements();
        assert_eq!(requirements.len(), 224);
        for (chapter, count) in [(6, 47), (7, 19), (8, 13), (9, 7), (10, 36)] {
            let of_chapter = requirements.iter().filter(|one| one.chapter == chapter);
            assert_eq!(of_chapter.count(), count, "V{chapter}");
        }
        assert!(requirements.iter().all(|one| (1..=3).contains(&one.level)));
    }
}
