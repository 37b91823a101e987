//! Whether a port is free, and if not, who has it.

use std::collections::HashSet;
use std::fmt;
use std::fs;
use std::net::TcpListener;

use crate::{Result, TestbedError};

/// The process that listens on a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortOwner {
    /// Its process id.
    pub pid: u32,
    /// Its name as the kernel knows it.
    pub name: String,
}

impl fmt::Display for PortOwner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "pid {} ({})", self.pid, self.name)
    }
}

/// Fails if `port` of 127.0.0.1 cannot be listened on. `purpose` and `option` go into the message: what the port is
/// for, and the option that chooses another.
pub fn ensure_port_free(port: u16, purpose: &str, option: &str) -> Result<()> {
    match TcpListener::bind(("127.0.0.1", port)) {
        Ok(_) => Ok(()),
        Err(_) => Err(TestbedError::PortTaken {
            port,
            purpose: purpose.to_owned(),
            owner: port_owner(port).map(|owner| format!(" by {owner}")).unwrap_or_default(),
            option: option.to_owned(),
        }),
    }
}

/// Ports of 127.0.0.1 that are free now, all different.
pub fn free_ports<const N: usize>() -> Result<[u16; N]> {
    let failed = |source| TestbedError::Start { program: "a listener on a free port".to_owned(), source };
    // Held together, so that the system cannot name one twice.
    let mut listeners = Vec::with_capacity(N);
    let mut ports = [0; N];
    for port in &mut ports {
        let listener = TcpListener::bind(("127.0.0.1", 0)).map_err(failed)?;
        *port = listener.local_addr().map_err(failed)?.port();
        listeners.push(listener);
    }
    Ok(ports)
}

/// The process that listens on `port`, as far as `/proc` shows it to this account.
pub fn port_owner(port: u16) -> Option<PortOwner> {
    let sockets: HashSet<String> = ["/proc/net/tcp", "/proc/net/tcp6"]
        .iter()
        .filter_map(|table| fs::read_to_string(table).ok())
        .flat_map(|table| listening_sockets(&table, port))
        .map(|inode| format!("socket:[{inode}]"))
        .collect();
    let processes = fs::read_dir("/proc").ok()?;
    processes.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).find_map(|pid: u32| {
        let mut files = fs::read_dir(format!("/proc/{pid}/fd")).ok()?;
        let owns = files.any(|file| {
            file.ok()
                .and_then(|file| fs::read_link(file.path()).ok())
                .is_some_and(|target| sockets.contains(&*target.to_string_lossy()))
        });
        owns.then(|| PortOwner {
            pid,
            name: fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default().trim().to_owned(),
        })
    })
}

/// The inodes of the sockets that listen on `port` (proc(5), `/proc/net/tcp`).
fn listening_sockets(table: &str, port: u16) -> Vec<String> {
    const LISTEN: &str = "0A";
    let local_port = format!(":{port:04X}");
    table
        .lines()
        .skip(1)
        .filter_map(|line| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let listens = fields.get(1)?.ends_with(&local_port) && *fields.get(3)? == LISTEN;
            listens.then(|| fields.get(9).map(|inode| (*inode).to_owned()))?
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_is_named_with_its_owner_and_the_option() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let message = ensure_port_free(port, "the engine", "--engine-port").unwrap_err().to_string();
        for part in [&port.to_string(), "the engine", "--engine-port", &format!("pid {}", std::process::id())]
        {
            assert!(message.contains(part), "{part} in {message}");
        }
    }

    #[test]
    fn free_ports_are_free_and_differ() {
        let [a, b, c] = free_ports().unwrap();
        assert!(a != b && b != c && a != c);
        for port in [a, b, c] {
            ensure_port_free(port, "a test", "none").unwrap();
        }
    }

    #[test]
    fn only_listening_sockets_of_the_port_count() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
             0: 0100007F:23F0 00000000:0000 0A 00000000:00000000 00:00000000 00000000  0  0 111 1 x\n\
             1: 0100007F:23F0 0100007F:9C40 01 00000000:00000000 00:00000000 00000000  0  0 222 1 x\n\
             2: 0100007F:23F1 00000000:0000 0A 00000000:00000000 00:00000000 00000000  0  0 333 1 x\n";
        assert_eq!(listening_sockets(table, 0x23F0), ["111"]);
        assert!(listening_sockets(table, 80).is_empty());
    }
}
