//! What a command has around it: environment, input, output, and whether a
//! person sits there. Handed in, so that a test can put anything in its place.

use std::{
    cell::RefCell,
    ffi::OsString,
    io::{self, IsTerminal as _, Read, Write},
};

/// Environment, input and output of the process.
pub(super) struct Surroundings {
    pub(super) environment: Vec<(OsString, OsString)>,
    pub(super) input: RefCell<Box<dyn Read>>,
    pub(super) output: RefCell<Box<dyn Write>>,
    pub(super) errors: RefCell<Box<dyn Write>>,
    pub(super) terminals: Terminals,
}

/// Which of the three streams are a terminal.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Terminals {
    pub(super) input: bool,
    pub(super) output: bool,
    pub(super) errors: bool,
}

impl Surroundings {
    /// Those of this process.
    pub(super) fn of_process() -> Self {
        Self {
            environment: std::env::vars_os().collect(),
            input: RefCell::new(Box::new(io::stdin())),
            output: RefCell::new(Box::new(io::BufWriter::new(io::stdout()))),
            errors: RefCell::new(Box::new(io::stderr())),
            terminals: Terminals {
                input: io::stdin().is_terminal(),
                output: io::stdout().is_terminal(),
                errors: io::stderr().is_terminal(),
            },
        }
    }

    /// Writes to standard error. When that fails there is nobody left to tell.
    pub(super) fn tell(&self, text: &str) {
        let mut errors = self.errors.borrow_mut();
        let _ = errors.write_all(text.as_bytes());
        let _ = errors.flush();
    }

    /// Whether somebody can be asked and can see the question.
    pub(super) fn can_ask(&self) -> bool {
        self.terminals.input && self.terminals.errors
    }

    /// A line from standard input without its end, at most `limit` bytes;
    /// nothing at the end of the input or beyond the limit.
    pub(super) fn read_line(&self, limit: usize) -> io::Result<Option<String>> {
        let mut input = self.input.borrow_mut();
        // Not moved while it grows: it may be a secret.
        let mut line = Vec::with_capacity(limit + 1);
        let mut byte = [0_u8; 1];
        while line.len() <= limit {
            match input.read(&mut byte) {
                Ok(0) if line.is_empty() => return Ok(None),
                Ok(0) => break,
                Ok(_) if byte == *b"\n" => break,
                Ok(_) => line.extend(byte),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        if line.len() > limit {
            return Ok(None);
        }
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        let text = String::from_utf8(line)
            .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is not UTF-8"))?;
        Ok(Some(text))
    }
}

#[cfg(test)]
pub(super) mod fake {
    use std::{cell::Ref, rc::Rc};

    use super::*;

    /// Surroundings that a test fills and reads.
    #[derive(Default)]
    pub(in crate::cli) struct Fake {
        pub(in crate::cli) environment: Vec<(OsString, OsString)>,
        pub(in crate::cli) input: &'static str,
        pub(in crate::cli) terminals: Terminals,
        pub(in crate::cli) output: Written,
        pub(in crate::cli) errors: Written,
    }

    /// What was written.
    #[derive(Clone, Default)]
    pub(in crate::cli) struct Written(Rc<RefCell<Vec<u8>>>);

    impl Written {
        pub(in crate::cli) fn text(&self) -> String {
            let bytes: Ref<'_, Vec<u8>> = self.0.borrow();
            String::from_utf8(bytes.clone()).unwrap()
        }
    }

    impl Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.borrow_mut().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Fake {
        /// A person at a terminal who types `input`.
        pub(in crate::cli) fn typing(input: &'static str) -> Self {
            Self {
                input,
                terminals: Terminals {
                    input: true,
                    output: true,
                    errors: true,
                },
                ..Self::default()
            }
        }

        pub(in crate::cli) fn surroundings(&self) -> Surroundings {
            Surroundings {
                environment: self.environment.clone(),
                input: RefCell::new(Box::new(self.input.as_bytes())),
                output: RefCell::new(Box::new(self.output.clone())),
                errors: RefCell::new(Box::new(self.errors.clone())),
                terminals: self.terminals,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::fake::Fake;

    #[test]
    fn a_line_ends_at_its_end_and_keeps_the_rest_for_the_next() {
        let fake = Fake {
            input: "one\r\ntwo\nthree",
            ..Fake::default()
        };
        let surroundings = fake.surroundings();
        let lines: Vec<_> = (0..4)
            .map(|_| surroundings.read_line(100).unwrap())
            .collect();
        let expected = ["one", "two", "three"].map(|line| Some(line.to_owned()));
        assert_eq!(lines[..3], expected);
        assert_eq!(lines[3], None);
    }

    #[test]
    fn a_line_beyond_the_limit_is_no_line() {
        let fake = Fake {
            input: "12345\n123456\n",
            ..Fake::default()
        };
        let surroundings = fake.surroundings();
        assert_eq!(surroundings.read_line(5).unwrap(), Some("12345".to_owned()));
        assert_eq!(surroundings.read_line(5).unwrap(), None);
    }
}
