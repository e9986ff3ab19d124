//! Writes the corpus that fuzzing begins with: the hostile messages of the differential test.

#[path = "../../proxy/tests/differential/answers.rs"]
#[allow(dead_code)]
mod answers;
#[path = "../../proxy/tests/differential/cases.rs"]
mod cases;
/// What `answers` needs of it.
mod recorder {
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub enum End {
        Keep,
        Close,
    }
}

use std::fs;
use std::path::Path;

/// Longer ones would only slow it down.
const LONGEST: usize = 2000;
const GET: &[u8] = b"GET /a HTTP/1.1\r\nhost: h\r\n\r\n";
const GOOD: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello";

fn main() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    let write = |target: &str, name: String, bytes: &[u8]| {
        let directory = corpus.join(target);
        fs::create_dir_all(&directory)
            .and_then(|()| fs::write(directory.join(name), bytes))
            .expect("the corpus");
    };
    let requests = cases::requests().into_iter().filter(|case| case.bytes.len() < LONGEST).enumerate();
    for (number, case) in requests {
        write("parse", format!("request-{number}"), &case.bytes);
        write("forward", format!("request-{number}"), &forward(&case.bytes, GOOD));
    }
    let answers = answers::answers().into_iter().filter(|case| case.bytes.len() < LONGEST).enumerate();
    for (number, case) in answers {
        let request = if case.method == "HEAD" { [b"HEAD", &GET[3..]].concat() } else { GET.to_vec() };
        write("parse", format!("answer-{number}"), &case.bytes);
        write("forward", format!("answer-{number}"), &forward(&request, &case.bytes));
    }
}

/// As the target takes it apart: how it is torn, the client's bytes, the service's.
fn forward(client: &[u8], service: &[u8]) -> Vec<u8> {
    let length = u16::try_from(client.len()).expect("a short one").to_le_bytes();
    [&[0, length[0], length[1]], client, service].concat()
}
