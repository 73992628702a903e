use std::fmt;

use super::{Coverage, Label, Requirement, attacks, list::WHOLE_CHAPTERS, requirements};

impl Coverage {
    /// How much is covered, in one line.
    pub fn summary(&self) -> String {
        let attacks = attacks();
        let applying = attacks.iter().filter(|attack| attack.later.is_none());
        let (all, tried) =
            count(applying.map(|attack| self.is_proven(&Label::Attack(attack.number))));
        let later = attacks.len() - all;
        let requirements = requirements();
        let chapters = WHOLE_CHAPTERS.map(|(chapter, _)| {
            let (all, proven) = self.count_chapter(&requirements, chapter);
            format!("V{chapter} {proven}/{all}")
        });
        format!(
            "attacks: {tried} of {all} that apply are tried, {later} apply later; ASVS 5.0.0 proven: {}",
            chapters.join(", ")
        )
    }

    fn count_chapter(&self, requirements: &[Requirement], chapter: u32) -> (usize, usize) {
        let of_chapter = requirements.iter().filter(|one| one.chapter == chapter);
        count(of_chapter.map(|one| self.is_proven(&Label::Requirement(one.number.clone()))))
    }

    fn write_proofs(&self, f: &mut fmt::Formatter<'_>, label: &Label) -> fmt::Result {
        for test in self.proofs(label) {
            write!(f, "      {} {}", test.file, test.name)?;
            match test.storage {
                "" => writeln!(f)?,
                storage => writeln!(f, " ({storage})")?,
            }
        }
        Ok(())
    }

    fn write_attacks(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "Attacks\n")?;
        for attack in attacks() {
            let label = Label::Attack(attack.number);
            let state = match &attack.later {
                Some(why) => format!("applies later: {why}"),
                None if self.is_proven(&label) => "tried".to_owned(),
                None => "NOT TRIED YET".to_owned(),
            };
            writeln!(f, "  {label} {}: {state}", attack.title)?;
            self.write_proofs(f, &label)?;
        }
        Ok(())
    }

    fn write_chapter(
        &self,
        f: &mut fmt::Formatter<'_>,
        requirements: &[&Requirement],
    ) -> fmt::Result {
        for one in requirements {
            let label = Label::Requirement(one.number.clone());
            let state = match (self.is_proven(&label), one.by_reading) {
                (true, _) => "proven",
                (false, true) => "not yet; by reading only",
                (false, false) => "not yet",
            };
            writeln!(
                f,
                "  {} (level {}) {}: {state}",
                one.number, one.level, one.title
            )?;
            self.write_proofs(f, &label)?;
        }
        Ok(())
    }
}

impl fmt::Display for Coverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_attacks(f)?;
        let requirements = requirements();
        for (chapter, title) in WHOLE_CHAPTERS {
            let (all, proven) = self.count_chapter(&requirements, chapter);
            writeln!(f, "\nASVS 5.0.0, V{chapter} {title}: {proven} of {all}\n")?;
            let of_chapter = requirements.iter().filter(|one| one.chapter == chapter);
            self.write_chapter(f, &of_chapter.collect::<Vec<_>>())?;
        }
        writeln!(f, "\nASVS 5.0.0, proven in other chapters\n")?;
        let others = requirements.iter().filter(|one| {
            let is_whole = WHOLE_CHAPTERS
                .iter()
                .any(|(chapter, _)| *chapter == one.chapter);
            !is_whole && self.is_proven(&Label::Requirement(one.number.clone()))
        });
        self.write_chapter(f, &others.collect::<Vec<_>>())?;
        writeln!(f, "\n{}", self.summary())
    }
}

/// How many there are, and how many of them are so.
fn count(are: impl Iterator<Item = bool>) -> (usize, usize) {
    are.fold((0, 0), |(all, so), is| (all + 1, so + usize::from(is)))
}
