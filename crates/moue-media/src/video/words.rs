//! What ffmpeg says, in a person's words.

use std::io::Read;

/// What ffmpeg complained about until it ended.
#[derive(Debug, Default)]
pub struct Complaints(String);

impl Complaints {
    /// Reads them, so that ffmpeg never waits for somebody to do so, and keeps the last of them.
    pub fn read(mut stderr: impl Read) -> Self {
        let mut tail: Vec<u8> = Vec::new();
        let mut chunk = [0; 4096];
        while let Ok(read @ 1..) = stderr.read(&mut chunk) {
            tail.extend_from_slice(&chunk[..read]);
            let surplus = tail.len().saturating_sub(1 << 14);
            tail.drain(..surplus);
        }
        Self(hidden(&String::from_utf8_lossy(&tail)))
    }

    /// Why nothing could be read or written: what is known in words of our own, all else as ffmpeg says it last.
    pub fn words(&self) -> Option<String> {
        let known = KNOWN.iter().find(|(says, _)| self.0.contains(says));
        if let Some((_, words)) = known {
            return Some((*words).to_owned());
        }
        let line = self.0.lines().map(str::trim).rfind(|line| !line.is_empty())?;
        // The file stands before it anyway.
        Some(
            line.strip_prefix("file:")
                .and_then(|l| l.split_once(": "))
                .map_or(line, |(_, words)| words)
                .to_owned(),
        )
    }

    /// Whether the file ends before what it says is in it.
    pub fn cut_off(&self) -> bool {
        CUT_OFF.iter().any(|says| self.0.contains(says))
    }
}

/// What ffmpeg says, by which an error is told, and what it means. The first that fits is taken.
const KNOWN: [(&str, &str); 15] = [
    (
        "moov atom not found",
        "this video has no index (\"moov\"), which cameras write at the end: the recording or copy was cut off. Copy it \
         again; if it was the recording, a repair program (such as untrunc) may mend it with the help of another from the same camera",
    ),
    (
        "not on whitelist",
        "this is a playlist or another list of films, which would open files and addresses of its own: give the film itself, or the \
         address of the stream",
    ),
    ("Stream map '0:V:0' matches no streams", "no video in it"),
    ("401 Unauthorized", "the address asks for a name and a password: scheme://NAME:PASSWORD@host/"),
    ("403 Forbidden", "the address may not be read (403): its name and password may be wrong"),
    ("404 Not Found", "there is nothing at this address (404)"),
    ("Connection refused", "nobody answers at this address (connection refused)"),
    ("Connection timed out", "nobody answers at this address (connection timed out)"),
    ("Failed to resolve hostname", "there is no machine of this name, or no network"),
    ("No route to host", "there is no way to this address (no route to host)"),
    ("Protocol not found", "ffmpeg does not know this kind of address"),
    (
        "Stream ends prematurely",
        "the server stopped before the end, or cannot send parts of a file, which this film needs: download it and give the file",
    ),
    ("Device or resource busy", "another program uses it"),
    ("No space left on device", "No space left on device"),
    (
        "Invalid data found when processing input",
        "it is no video that ffmpeg knows, or it is damaged (invalid data found when processing input)",
    ),
];

/// What ffmpeg says of files that end early.
const CUT_OFF: [&str; 4] = ["partial file", "ended prematurely", "Truncating packet", "truncated"];

/// Text without the names and passwords that stand in addresses: `http://…@host/`, and without what parameters hold that are
/// called as passwords are.
pub fn hidden(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("://") {
        out.push_str(before);
        out.push_str("://");
        let end = after.find(|c: char| c.is_whitespace() || c == '\'' || c == '"').unwrap_or(after.len());
        let (address, behind) = after.split_at(end);
        // A password may hold any sign but those that end the host.
        let host_end = address.find(['/', '?', '#']).unwrap_or(address.len());
        let at = address[..host_end].rfind('@').or_else(|| {
            // One that holds a slash, unescaped, is still no path where a name stands before it.
            address
                .split(['?', '#'])
                .next()
                .and_then(|path| path.rfind('@'))
                .filter(|_| address[..host_end].contains(':'))
        });
        let address = match at {
            Some(at) => {
                out.push('…');
                &address[at..]
            }
            None => address,
        };
        match address.split_once('?') {
            Some((path, query)) => {
                out.push_str(path);
                let mut mark = '?';
                for parameter in query.split('&') {
                    out.push(mark);
                    mark = '&';
                    match parameter.split_once('=') {
                        Some((name, _)) if is_secret(name) => {
                            out.push_str(name);
                            out.push_str("=…");
                        }
                        _ => out.push_str(parameter),
                    }
                }
            }
            None => out.push_str(address),
        }
        rest = behind;
    }
    out.push_str(rest);
    out
}

/// Whether a parameter of an address holds what nobody should read.
fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["pass", "pwd", "secret", "token", "key", "auth", "sig", "credential", "user", "usr", "login"]
        .iter()
        .any(|word| name.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_hidden_wherever_an_address_stands() {
        for (text, expected) in [
            ("http://admin:hunter2@host:8080/a.mp4", "http://…@host:8080/a.mp4"),
            ("rtsp://admin:p@ss@10.0.0.1/1", "rtsp://…@10.0.0.1/1"),
            ("rtsp://admin:p/w@10.0.0.1/1", "rtsp://…@10.0.0.1/1"),
            (
                "http://host/a?user=admin&password=hunter2&channel=1",
                "http://host/a?user=…&password=…&channel=1",
            ),
            ("http://host/people@home.mp4", "http://host/people@home.mp4"),
            ("[tcp] http://a:b@h/x: refused; rtsp://c:d@i/", "[tcp] http://…@h/x: refused; rtsp://…@i/"),
            ("no address a@b", "no address a@b"),
            ("", ""),
        ] {
            assert_eq!(hidden(text), expected);
        }
    }

    #[test]
    fn what_ffmpeg_says_becomes_words() {
        let words = |text: &str| Complaints::read(text.as_bytes()).words();
        let cut =
            "[mov,mp4 @ 0x1] moov atom not found\nfile:a.mp4: Invalid data found when processing input\n";
        assert!(words(cut).unwrap().contains("cut off"));
        assert_eq!(words("file:a.mp4: Something else\n").unwrap(), "Something else");
        // What ffmpeg says last of such a server is about its own filters.
        let stopped = "[http @ 0x1] Stream ends prematurely at 48, should be 143182\nError marking filters as finished\n";
        assert!(words(stopped).unwrap().contains("download it"));
        assert_eq!(words(""), None);
        assert!(Complaints::read(&b"[matroska] File ended prematurely at pos. 8"[..]).cut_off());
    }
}
