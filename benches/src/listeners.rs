//! Listening sockets for other runtimes: one for each address on each shard, with SO_REUSEPORT.

use std::io;
use std::net::{SocketAddr, TcpListener};

use corespun_runtime::Address;
use socket2::{Domain, Protocol, Socket, Type};

use crate::AnyError;

/// Largest number of connections in the kernel's backlog.
const BACKLOG: i32 = 4096;

/// Listeners of a program.
#[derive(Debug)]
pub struct Listeners {
    /// Bound address of each `--listen`, with the real port in place of port 0.
    pub addresses: Vec<SocketAddr>,
    /// One list for each shard, one non-blocking listener in it for each address.
    pub shards: Vec<Vec<TcpListener>>,
}

impl Listeners {
    /// Binds every address once for each shard.
    ///
    /// # Errors
    /// When an address is not TCP or cannot be bound; the error names it.
    pub fn bind(addresses: &[Address], shards: usize) -> Result<Self, AnyError> {
        let mut listeners = Self {
            addresses: Vec::new(),
            shards: Vec::new(),
        };
        listeners.shards.resize_with(shards, Vec::new);
        for address in addresses {
            let Address::Tcp(mut bound) = *address else {
                return Err(
                    format!("failed to listen on {address}: only TCP is shared out").into(),
                );
            };
            for shard in &mut listeners.shards {
                let listener = listen(bound)
                    .map_err(|error| format!("failed to listen on {address}: {error}"))?;
                // Port 0 is resolved by the first bind; the other shards must share its port.
                bound = listener.local_addr()?;
                shard.push(listener);
            }
            listeners.addresses.push(bound);
        }
        Ok(listeners)
    }
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bind(text: &str, shards: usize) -> Result<Listeners, AnyError> {
        Listeners::bind(&[text.parse().expect("an address")], shards)
    }

    #[test]
    fn shards_share_the_port_that_the_kernel_chose() {
        let listeners = bind("127.0.0.1:0", 2).expect("a free port");
        let ports: Vec<u16> = listeners
            .shards
            .iter()
            .flatten()
            .map(|listener| listener.local_addr().expect("bound").port())
            .collect();
        assert_eq!(ports, [listeners.addresses[0].port(); 2]);
    }

    #[test]
    fn errors_name_the_address() {
        for text in ["unix:/tmp/x", "192.0.2.1:1"] {
            let error = bind(text, 1).expect_err("not ours to bind").to_string();
            assert!(
                error.starts_with(&format!("failed to listen on {text}: ")),
                "{error}"
            );
        }
    }
}
