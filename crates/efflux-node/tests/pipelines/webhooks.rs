//! An HTTP service that notes what it is told, and refuses what it does not like.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

pub(crate) struct Service {
    pub(crate) address: SocketAddr,
    told: Arc<Mutex<Vec<String>>>,
    refuses: Arc<AtomicBool>,
}

impl Service {
    /// A service that refuses bodies with the word `bad` until it is mended.
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let service = Self {
            address: listener.local_addr().unwrap(),
            told: Arc::default(),
            refuses: Arc::new(AtomicBool::new(true)),
        };
        let (told, refuses) = (Arc::clone(&service.told), Arc::clone(&service.refuses));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (told, refuses) = (Arc::clone(&told), Arc::clone(&refuses));
                std::thread::spawn(move || serve(&stream, &told, &refuses));
            }
        });
        service
    }

    pub(crate) fn mend(&self) {
        self.refuses.store(false, Ordering::SeqCst);
    }

    pub(crate) fn told(&self) -> Vec<String> {
        let mut told = self.told.lock().unwrap().clone();
        told.sort();
        told
    }
}

fn serve(stream: &TcpStream, told: &Mutex<Vec<String>>, refuses: &AtomicBool) {
    let mut reader = BufReader::new(stream);
    let mut writer = stream;
    loop {
        let mut length = 0;
        let mut line = String::new();
        loop {
            line.clear();
            if reader.read_line(&mut line).unwrap_or(0) == 0 {
                return;
            }
            let lower = line.trim().to_ascii_lowercase();
            if let Some(value) = lower.strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
            if lower.is_empty() {
                break;
            }
        }
        let mut body = vec![0; length];
        if reader.read_exact(&mut body).is_err() {
            return;
        }
        let body = String::from_utf8(body).unwrap();
        let is_refused = refuses.load(Ordering::SeqCst) && body.contains("bad");
        let answer = match is_refused {
            true => "HTTP/1.1 422 Unprocessable Content\r\ncontent-length: 0\r\n\r\n",
            false => "HTTP/1.1 204 No Content\r\n\r\n",
        };
        if !is_refused {
            told.lock().unwrap().push(body);
        }
        if writer.write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}
