//! As much of Rust's grammar as the guards need: tokens without comments, what is test code, where functions end.

/// A token and the line it starts on, counted from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// What it is.
    pub kind: TokenKind,
    /// The line it starts on.
    pub line: usize,
}

/// Kinds of tokens, as coarse as will do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenKind {
    /// An identifier, a keyword, a number, a lifetime or a character literal.
    Word(String),
    /// What stands between the quotes of any kind of string literal.
    Text(String),
    /// One punctuation character.
    Mark(char),
}

impl Token {
    /// Whether this is the identifier or keyword `word`.
    pub fn is_word(&self, word: &str) -> bool {
        matches!(&self.kind, TokenKind::Word(found) if found == word)
    }

    /// Whether this is the punctuation character `mark`.
    pub fn is_mark(&self, mark: char) -> bool {
        self.kind == TokenKind::Mark(mark)
    }

    /// The identifier, keyword or number, if it is one.
    pub fn word(&self) -> Option<&str> {
        match &self.kind {
            TokenKind::Word(word) => Some(word),
            _ => None,
        }
    }
}

/// A function with a body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Function {
    /// Its name, without the type it belongs to.
    pub name: String,
    /// The line of its `fn`.
    pub line: usize,
    /// Lines from its `fn` to its closing brace.
    pub lines: usize,
}

/// The tokens of a source text; comments, also those that document, are left out.
pub fn tokens(text: &str) -> Vec<Token> {
    let mut lexer = Lexer {
        chars: text.chars().collect(),
        at: 0,
        line: 1,
        tokens: Vec::new(),
    };
    while lexer.step() {}
    lexer.tokens
}

/// `tokens` without the items behind `#[cfg(test)]`.
pub fn without_tests(tokens: &[Token]) -> Vec<Token> {
    let mut kept = Vec::new();
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        match attribute_end(tokens, at) {
            Some(end) if is_test_attribute(tokens.get(at..end).unwrap_or_default()) => {
                at = item_end(tokens, end);
            }
            _ => {
                kept.push(token.clone());
                at += 1;
            }
        }
    }
    kept
}

/// Every function with a body, those inside others too.
pub fn functions(tokens: &[Token]) -> Vec<Function> {
    let mut found = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        let Some(name) = tokens.get(at + 1).and_then(Token::word) else {
            continue;
        };
        if !token.is_word("fn") {
            continue;
        }
        let end = item_end(tokens, at);
        let Some(last) = tokens.get(end.saturating_sub(1)) else {
            continue;
        };
        if last.is_mark('}') {
            found.push(Function {
                name: name.to_owned(),
                line: token.line,
                lines: last.line - token.line + 1,
            });
        }
    }
    found
}

/// The index behind the attribute that starts at `at`, if one does.
fn attribute_end(tokens: &[Token], at: usize) -> Option<usize> {
    if !tokens.get(at)?.is_mark('#') || !tokens.get(at + 1)?.is_mark('[') {
        return None;
    }
    Some(group_end(tokens, at + 1))
}

fn is_test_attribute(attribute: &[Token]) -> bool {
    let has = |word: &str| attribute.iter().any(|token| token.is_word(word));
    attribute.get(2).is_some_and(|token| token.is_word("cfg")) && has("test") && !has("not")
}

/// The index behind the item that starts at `at`: behind its closing brace or its semicolon.
fn item_end(tokens: &[Token], at: usize) -> usize {
    let mut at = at;
    while let Some(token) = tokens.get(at) {
        match token.kind {
            TokenKind::Mark('{') => return group_end(tokens, at),
            TokenKind::Mark(';') => return at + 1,
            TokenKind::Mark('(' | '[') => at = group_end(tokens, at),
            _ => at += 1,
        }
    }
    at
}

/// The index behind the bracket that closes the one at `at`.
fn group_end(tokens: &[Token], at: usize) -> usize {
    let mut depth = 0_usize;
    for (index, token) in tokens.iter().enumerate().skip(at) {
        match token.kind {
            TokenKind::Mark('(' | '[' | '{') => depth += 1,
            TokenKind::Mark(')' | ']' | '}') => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 {
            return index + 1;
        }
    }
    tokens.len()
}

struct Lexer {
    chars: Vec<char>,
    at: usize,
    line: usize,
    tokens: Vec<Token>,
}

impl Lexer {
    /// Reads one token, comment or blank; says whether there was one.
    fn step(&mut self) -> bool {
        let Some(char) = self.peek(0) else {
            return false;
        };
        match (char, self.peek(1)) {
            ('/', Some('/')) => self.skip_line(),
            ('/', Some('*')) => self.skip_block_comment(),
            ('"', _) => self.text(),
            ('\'', _) => self.character_or_lifetime(),
            _ if char.is_whitespace() => self.bump(),
            _ if is_word_char(char) => self.word_or_prefixed_text(),
            _ => {
                self.push(TokenKind::Mark(char), self.line);
                self.bump();
            }
        }
        true
    }

    fn peek(&self, ahead: usize) -> Option<char> {
        self.chars.get(self.at + ahead).copied()
    }

    fn bump(&mut self) {
        if self.peek(0) == Some('\n') {
            self.line += 1;
        }
        self.at += 1;
    }

    fn push(&mut self, kind: TokenKind, line: usize) {
        self.tokens.push(Token { kind, line });
    }

    fn skip_line(&mut self) {
        while self.peek(0).is_some_and(|char| char != '\n') {
            self.bump();
        }
    }

    fn skip_block_comment(&mut self) {
        let mut depth = 0_usize;
        loop {
            match (self.peek(0), self.peek(1)) {
                (Some('/'), Some('*')) => {
                    depth += 1;
                    self.bump();
                }
                (Some('*'), Some('/')) => {
                    depth -= 1;
                    self.bump();
                }
                (None, _) => return,
                _ => {}
            }
            self.bump();
            if depth == 0 {
                return;
            }
        }
    }

    /// A string with escapes; an escaped character stands for itself, which is near enough.
    fn text(&mut self) {
        let line = self.line;
        let mut text = String::new();
        self.bump();
        while let Some(char) = self.peek(0) {
            self.bump();
            match char {
                '"' => break,
                '\\' => {
                    text.extend(self.peek(0));
                    self.bump();
                }
                _ => text.push(char),
            }
        }
        self.push(TokenKind::Text(text), line);
    }

    fn raw_text(&mut self, hashes: usize) {
        let line = self.line;
        let mut text = String::new();
        for _ in 0..=hashes {
            self.bump();
        }
        while let Some(char) = self.peek(0) {
            self.bump();
            if char == '"' && (0..hashes).all(|ahead| self.peek(ahead) == Some('#')) {
                (0..hashes).for_each(|_| self.bump());
                break;
            }
            text.push(char);
        }
        self.push(TokenKind::Text(text), line);
    }

    fn character_or_lifetime(&mut self) {
        let line = self.line;
        let is_escape = self.peek(1) == Some('\\');
        if !is_escape && self.peek(2) != Some('\'') {
            self.bump();
            return self.word();
        }
        self.bump();
        if is_escape {
            self.bump();
        }
        self.bump();
        while self.peek(0).is_some_and(|char| char != '\'') {
            self.bump();
        }
        self.bump();
        self.push(TokenKind::Word("'".to_owned()), line);
    }

    fn word(&mut self) {
        let line = self.line;
        let mut word = String::new();
        while let Some(char) = self.peek(0).filter(|char| is_word_char(*char)) {
            word.push(char);
            self.bump();
        }
        self.push(TokenKind::Word(word), line);
    }

    fn word_or_prefixed_text(&mut self) {
        self.word();
        let prefix = self.tokens.last().and_then(Token::word).unwrap_or_default();
        let is_raw = matches!(prefix, "r" | "br" | "cr");
        let is_prefix = is_raw || matches!(prefix, "b" | "c");
        let hashes = (0..)
            .take_while(|ahead| self.peek(*ahead) == Some('#'))
            .count();
        if is_raw && self.peek(hashes) == Some('"') {
            self.tokens.pop();
            self.raw_text(hashes);
        } else if is_prefix && self.peek(0) == Some('"') {
            self.tokens.pop();
            self.text();
        } else if prefix == "r" && hashes == 1 {
            self.tokens.pop();
            self.bump();
            self.word();
        }
    }
}

fn is_word_char(char: char) -> bool {
    char == '_' || char.is_alphanumeric()
}
