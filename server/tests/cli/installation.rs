//! A data folder of its own for each test, the program on it, and a server.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    path::PathBuf,
    process::{Child, Command, Output, Stdio},
};

use serde_json::{Value, json};

/// A data folder with a database. Gone when the test is.
pub(crate) struct Installation {
    folder: tempfile::TempDir,
}

/// What a command answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) code: i32,
    pub(crate) output: String,
    pub(crate) errors: String,
}

/// A server that runs on the folder until this is dropped.
pub(crate) struct Server {
    child: Child,
    pub(crate) address: String,
}

impl Installation {
    /// With a database that a server made.
    pub(crate) fn new() -> Self {
        let installation = Self::empty();
        drop(installation.server());
        installation
    }

    /// With nothing in it.
    pub(crate) fn empty() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    /// With these tenants, which have no users.
    pub(crate) fn with_tenants(names: &[&str]) -> Self {
        let installation = Self::new();
        for name in names {
            installation.run(&["tenant", "create", name]).done();
        }
        installation
    }

    /// With the tenant `acme` and the user `ada` without a password.
    pub(crate) fn with_ada() -> Self {
        let installation = Self::with_tenants(&["acme"]);
        let ada = "user create -t acme --user-name ada --no-password";
        installation.line(ada).done();
        installation
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_gatelodge"));
        command
            .args(arguments)
            .current_dir(self.folder.path())
            .env_clear()
            .env("GATELODGE_METRICS__ENABLED", "false")
            .stdin(Stdio::null());
        command
    }

    /// Runs a command to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Answer {
        Answer::from(self.command(arguments).output().unwrap())
    }

    /// The same, with the arguments divided by blanks.
    pub(crate) fn line(&self, line: &str) -> Answer {
        self.run(&line.split(' ').collect::<Vec<_>>())
    }

    /// The document that a command answers with.
    pub(crate) fn json(&self, line: &str) -> Value {
        let mut arguments: Vec<_> = line.split(' ').collect();
        arguments.push("--json");
        let answer = self.run(&arguments).done();
        serde_json::from_str(&answer).unwrap()
    }

    /// Runs a command with this on its standard input.
    pub(crate) fn with_input(&self, line: &str, input: &str) -> Answer {
        let arguments: Vec<_> = line.split(' ').collect();
        let mut child = self
            .command(&arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        // A command that refuses before it reads has closed the pipe.
        stdin.write_all(input.as_bytes()).ok();
        drop(stdin);
        child.wait_with_output().unwrap().into()
    }

    /// Starts a server on any free port, and waits until it serves.
    pub(crate) fn server(&self) -> Server {
        let mut child = self
            .command(&["serve", "--listen", "127.0.0.1:0"])
            .env("GATELODGE_LOG__FILTER", "error")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let after = line.split_once("http://localhost:").map(|(_, after)| after);
        let port: String = after
            .unwrap_or_else(|| panic!("the server said {line:?}"))
            .chars()
            .take_while(char::is_ascii_digit)
            .collect();
        Server {
            child,
            address: format!("127.0.0.1:{port}"),
        }
    }
}

impl From<Output> for Answer {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().expect("it was not killed"),
            output: String::from_utf8(output.stdout).unwrap(),
            errors: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Answer {
    /// What was answered; it must have been done without a complaint.
    #[track_caller]
    pub(crate) fn done(self) -> String {
        assert_eq!((self.code, self.errors.as_str()), (0, ""), "{self:?}");
        self.output
    }

    /// The one line of complaint; nothing must have been answered.
    #[track_caller]
    pub(crate) fn refused(self, code: i32) -> String {
        assert_eq!((self.code, self.output.as_str()), (code, ""), "{self:?}");
        assert_eq!(self.errors.lines().count(), 1, "{self:?}");
        let message = self.errors.trim_end().strip_prefix("error: ");
        message.expect("an error begins with `error: `").to_owned()
    }

    /// What is wrong with the line itself; nothing must have been done.
    #[track_caller]
    pub(crate) fn misused(self) -> String {
        assert_eq!((self.code, self.output.as_str()), (2, ""), "{self:?}");
        let message = self.errors.strip_prefix("error: ");
        message.expect("an error begins with `error: `").to_owned()
    }

    /// The problem document; nothing must have been answered.
    #[track_caller]
    pub(crate) fn problem(self, code: i32) -> Value {
        assert_eq!((self.code, self.output.as_str()), (code, ""), "{self:?}");
        serde_json::from_str(&self.errors).unwrap()
    }
}

impl Server {
    /// Makes a request as a client without cookies; answers status and document.
    pub(crate) fn request(
        &self,
        method: &str,
        path: &str,
        token: Option<&str>,
        body: &Value,
    ) -> (u16, Value) {
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        let bearer = token.map_or(String::new(), |token| {
            format!("Authorization: Bearer {token}\r\n")
        });
        let mut stream = TcpStream::connect(&self.address).unwrap();
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n{bearer}Content-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{body}",
            self.address.replace("127.0.0.1", "localhost"),
            body.len()
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
        let body = answer.split_once("\r\n\r\n").unwrap().1;
        (status, serde_json::from_str(body).unwrap_or(Value::Null))
    }

    /// Signs in with a password; answers the session's token.
    pub(crate) fn sign_in(&self, tenant: &str, user_name: &str, password: &str) -> String {
        let session = self.enter([tenant, user_name, password], false);
        session["token"].as_str().unwrap().to_owned()
    }

    /// The same, and stays: answers the device's token too.
    pub(crate) fn stay(&self, tenant: &str, user_name: &str, password: &str) -> [String; 2] {
        let session = self.enter([tenant, user_name, password], true);
        ["token", "device_token"].map(|name| session[name].as_str().unwrap().to_owned())
    }

    fn enter(&self, [tenant, user_name, password]: [&str; 3], stay: bool) -> Value {
        let flows = "/api/v1/sign-in/flows";
        let start = json!({ "tenant": tenant, "transport": "token" });
        let (status, flow) = self.request("POST", flows, None, &start);
        assert_eq!(status, 201, "{flow}");
        let path = format!("{flows}/{}", flow["id"].as_str().unwrap());
        let fields = &flow["step"]["providers"][0]["form"]["fields"];
        let named = |role: &str| {
            let field = fields
                .as_array()
                .unwrap()
                .iter()
                .find(|field| field["role"] == role);
            field.unwrap()["name"].as_str().unwrap().to_owned()
        };
        let answer = json!({
            "provider": flow["step"]["providers"][0]["id"],
            "answer": { named("identifier"): user_name, named("secret"): password },
            "stay": stay,
        });
        let (status, flow) = self.request("POST", &path, None, &answer);
        assert_eq!(status, 200, "{flow}");
        flow["session"].clone()
    }

    /// Whether the server takes this token of a device; it is used up by that.
    pub(crate) fn knows(&self, device: &str) -> bool {
        let start = json!({ "transport": "token", "device_token": device });
        let (status, flow) = self.request("POST", "/api/v1/sign-in/flows", None, &start);
        assert!(matches!(status, 201 | 401), "{status} {flow}");
        status == 201
    }

    /// Whether the server takes this session.
    pub(crate) fn accepts(&self, token: &str) -> bool {
        let (status, answer) = self.request("GET", "/api/v1/session", Some(token), &Value::Null);
        assert!(matches!(status, 200 | 401), "{status} {answer}");
        status == 200
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
