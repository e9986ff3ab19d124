//! A client's bytes and a service's, through a whole proxy over real sockets. The service must see the requests that
//! the reference reader finds in the client's bytes, cut at the same places, and none after the first thing that is no
//! request; nothing may hang; and the counters come back to zero.

#![no_main]

#[path = "../../proxy/tests/differential/oracle.rs"]
#[allow(dead_code)]
mod oracle;

use dormouse_peer::stop::Stop;
use dormouse_proxy::proxy::Proxy;
use dormouse_proxy::serve::{Listeners, serve};
use dormouse_proxy::settings::Settings;
use libfuzzer_sys::fuzz_target;
use oracle::Parse;
use std::cell::RefCell;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::time::{Instant, sleep, timeout};

/// The other end waits for more: then the client goes.
const QUIET: Duration = Duration::from_millis(15);
const DEADLINE: Duration = Duration::from_secs(10);
const GOOD: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\ngood";

thread_local! {
    static WORLD: RefCell<World> = RefCell::new(World::start());
}

fuzz_target!(|bytes: &[u8]| {
    let Some((&[torn, low, high], rest)) = bytes.split_first_chunk::<3>() else { return };
    let length = usize::from(u16::from_le_bytes([low, high])).min(rest.len());
    let (client, service) = rest.split_at(length);
    WORLD.with_borrow_mut(|world| world.run(torn, client, service));
});

struct World {
    runtime: Runtime,
    proxy: Arc<Proxy>,
    address: SocketAddr,
    service: Arc<Mutex<Service>>,
}

/// What the service says, and what it saw.
#[derive(Default)]
struct Service {
    /// Of the first request; any other is answered well.
    script: Option<Vec<u8>>,
    seen: Vec<oracle::Request>,
    /// The first request got no byte of an answer.
    silent: bool,
    wrong: Option<(&'static str, Vec<u8>)>,
}

impl World {
    fn start() -> World {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let service = Arc::<Mutex<Service>>::default();
        let (proxy, address) = runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let port = listener.local_addr().unwrap().port().to_string();
            let behind = Arc::clone(&service);
            tokio::spawn(async move {
                loop {
                    let (stream, _) = listener.accept().await.unwrap();
                    tokio::spawn(answer(stream, Arc::clone(&behind)));
                }
            });
            let source = |name: &str| match name {
                "UPSTREAM_HOST" | "LISTEN_ADDRESS" => Some("127.0.0.1".to_owned()),
                "UPSTREAM_PORT" => Some(port.clone()),
                "PROXY_PORT" => Some("0".to_owned()),
                "HEALTH_CHECK_PATH" => Some("/probe".to_owned()),
                _ => None,
            };
            let settings = Settings::read(&source).unwrap();
            let listeners = Listeners::open(&settings).await.unwrap();
            let address = listeners.traffic().unwrap();
            let proxy = Arc::new(Proxy::new(settings));
            let (stop, asked) = Stop::by_hand();
            let serving = serve(Arc::clone(&proxy), listeners, asked);
            tokio::spawn(async move {
                let _stop = stop;
                serving.await
            });
            (proxy, address)
        });
        World { runtime, proxy, address, service }
    }

    fn run(&mut self, torn: u8, client: &[u8], script: &[u8]) {
        let meaning = oracle::meaning(client);
        *self.service.lock().unwrap() = Service { script: Some(script.to_vec()), ..Service::default() };
        let proxy = Arc::clone(&self.proxy);
        let address = self.address;
        self.runtime.block_on(async move {
            timeout(DEADLINE, talk(address, torn, client, &meaning)).await.expect("the connection hangs");
            // What the client left behind is still on its way to the service, and must not be taken for the next run's.
            sleep(Duration::from_millis(2)).await;
            let end = Instant::now() + DEADLINE;
            loop {
                let activity = proxy.activity.snapshot();
                if activity.in_flight == 0 && activity.open_sockets == 0 {
                    break;
                }
                assert!(Instant::now() < end, "still counted: {activity:?}");
                sleep(Duration::from_millis(1)).await;
            }
        });
        self.judge(client);
    }

    fn judge(&self, client: &[u8]) {
        let meaning = oracle::meaning(client);
        let service = self.service.lock().unwrap();
        assert!(service.wrong.is_none(), "the service got no request: {:?}", service.wrong);
        let mut judged = judge(&meaning, &service.seen);
        // A kept connection that ended without a byte: such a request may be sent once more, if it has no effect.
        if let [first, again, ..] = &service.seen[..]
            && service.silent
            && first == again
            && first.body.is_empty()
            && matches!(first.method.as_str(), "GET" | "HEAD" | "OPTIONS" | "TRACE" | "PUT" | "DELETE")
        {
            judged = judged.or_else(|_| judge(&meaning, &service.seen[1..]));
        }
        judged.unwrap();
    }
}

fn judge(meaning: &oracle::Meaning, seen: &[oracle::Request]) -> Result<(), String> {
    let what = |request: &oracle::Request| {
        let path = request.target.split('?').next().map(str::to_owned);
        (request.method.clone(), path, request.body.clone())
    };
    for (at, request) in seen.iter().enumerate() {
        let Some(meant) = meaning.requests.get(at) else {
            return Err(format!("smuggled: {request:?}, number {at} of {}; {meaning:?}", seen.len()));
        };
        if what(meant) != what(request) {
            return Err(format!("number {at} was changed: {meant:?}: {request:?}"));
        }
        let fine = ["large head", "target not escaped", "large extension"];
        if !request.lenient.iter().all(|odd| fine.contains(odd)) {
            return Err(format!("number {at} went on with {:?}", request.lenient));
        }
    }
    Ok(())
}

async fn talk(address: SocketAddr, torn: u8, bytes: &[u8], meaning: &oracle::Meaning) {
    let stream = TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let (mut reader, mut writer) = stream.into_split();
    let expected = meaning.requests.len() + usize::from(meaning.invalid.is_some());
    let heads: Vec<bool> = meaning.requests.iter().map(|request| request.method == "HEAD").collect();
    // Some in one piece, some torn.
    let pieces = match torn % 4 {
        0 => bytes.len().max(1),
        _ => 1 + usize::from(torn),
    };
    for piece in bytes.chunks(pieces) {
        if writer.write_all(piece).await.is_err() {
            break;
        }
        tokio::task::yield_now().await;
    }
    let mut got = Vec::new();
    let mut shut = false;
    loop {
        if !shut && finals(&got, &heads) >= expected {
            shut = writer.shutdown().await.is_ok();
        }
        let read = reader.read_buf(&mut got);
        if shut {
            match read.await {
                Ok(1..) => {}
                _ => return,
            }
        } else {
            match timeout(QUIET, read).await {
                Ok(Ok(1..)) => {}
                Ok(_) => return,
                Err(_) => {
                    let _ = writer.shutdown().await;
                    shut = true;
                }
            }
        }
    }
}

fn finals(mut bytes: &[u8], heads: &[bool]) -> usize {
    let mut count = 0;
    while let Parse::Whole(answer, used) =
        oracle::answer(bytes, heads.get(count).copied().unwrap_or(false), false)
    {
        bytes = &bytes[used..];
        count += usize::from(answer.status >= 200);
    }
    count
}

async fn answer(mut stream: TcpStream, service: Arc<Mutex<Service>>) {
    let mut bytes = Vec::new();
    loop {
        match oracle::request(&bytes) {
            Parse::Whole(request, used) => {
                bytes.drain(..used);
                if request.target == "/probe" && request.fields.iter().all(|(name, _)| name != "x-real-ip") {
                    let _ = stream.write_all(GOOD).await;
                    continue;
                }
                let script = {
                    let mut service = service.lock().unwrap();
                    service.seen.push(request);
                    service.silent |= service.script.as_ref().is_some_and(Vec::is_empty);
                    service.script.take()
                };
                let closes = script.is_some();
                if stream.write_all(&script.unwrap_or_else(|| GOOD.to_vec())).await.is_err() || closes {
                    return;
                }
            }
            Parse::Partial => match stream.read_buf(&mut bytes).await {
                Ok(1..) => {}
                _ => return,
            },
            Parse::Invalid(why) => {
                service.lock().unwrap().wrong = Some((why, bytes));
                return;
            }
        }
    }
}
