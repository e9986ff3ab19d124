//! A SOCKS5 proxy (RFC 1928) that resolves names in a world's zone: a browser behind it finds services by name.

use crate::control::Control;
use crate::dns::Resolver;
use crate::world::World;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

/// Both ends are on this machine.
const PATIENCE: Duration = Duration::from_secs(10);
const SUCCEEDED: u8 = 0;
const HOST_UNREACHABLE: u8 = 4;

/// The proxy; it takes connections for as long as the test's process lives.
#[derive(Debug)]
pub struct Socks {
    address: SocketAddr,
}

impl Socks {
    /// Starts one.
    ///
    /// # Panics
    /// When it cannot listen.
    #[track_caller]
    pub fn start(world: &World) -> Socks {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a listener");
        let address = listener.local_addr().expect("an address");
        let (control, zone) = (world.control, world.id("hostedZone").to_owned());
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let zone = zone.clone();
                thread::spawn(move || serve(client, control, &zone));
            }
        });
        Socks { address }
    }

    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }
}

fn serve(mut client: TcpStream, control: Control, zone: &str) -> io::Result<()> {
    client.set_nodelay(true)?;
    let mut greeting = [0; 2];
    client.read_exact(&mut greeting)?;
    let mut methods = vec![0; usize::from(greeting[1])];
    client.read_exact(&mut methods)?;
    client.write_all(&[5, 0])?;
    let mut request = [0; 4];
    client.read_exact(&mut request)?;
    let host = match request[3] {
        1 => {
            let mut address = [0; 4];
            client.read_exact(&mut address)?;
            Ipv4Addr::from(address).to_string()
        }
        3 => {
            let mut length = [0; 1];
            client.read_exact(&mut length)?;
            let mut name = vec![0; usize::from(length[0])];
            client.read_exact(&mut name)?;
            String::from_utf8_lossy(&name).into_owned()
        }
        _ => return Err(io::ErrorKind::Unsupported.into()),
    };
    let mut port = [0; 2];
    client.read_exact(&mut port)?;
    let server = connect(&host, u16::from_be_bytes(port), control, zone);
    let code = if server.is_ok() { SUCCEEDED } else { HOST_UNREACHABLE };
    client.write_all(&[5, code, 0, 1, 0, 0, 0, 0, 0, 0])?;
    let server = server?;
    server.set_nodelay(true)?;
    let (from_client, from_server) = (client.try_clone()?, server.try_clone()?);
    thread::spawn(move || pipe(from_client, server));
    pipe(from_server, client);
    Ok(())
}

fn connect(host: &str, port: u16, control: Control, zone: &str) -> io::Result<TcpStream> {
    let address: Ipv4Addr = match host.parse() {
        Ok(address) => address,
        Err(_) => {
            // Asked anew each time: how long a browser remembers is its own business.
            let found = Resolver::new(control, zone).resolve(host).map_err(io::Error::other)?;
            found.parse().map_err(io::Error::other)?
        }
    };
    TcpStream::connect_timeout(&SocketAddr::from((address, port)), PATIENCE)
}

fn pipe(mut from: TcpStream, mut to: TcpStream) {
    let _ = io::copy(&mut from, &mut to);
    let _ = to.shutdown(Shutdown::Write);
}
