//! RabbitMQ without plugins, and without the daemon that Erlang nodes find each other by.

use std::ops::Deref;
use std::path::PathBuf;
use std::process::Command;

use crate::Result;
use crate::folder::Folder;
use crate::port::free_port;
use crate::program::program;
use crate::server::{Kind, Server, ask};
use crate::tls;

const USER: &str = "efflux";
const PASSWORD: &str = "secret";

/// A RabbitMQ broker; its methods are those of [`Server`] and its own.
#[derive(Debug)]
pub struct RabbitMq {
    server: Server,
    tls_port: u16,
}

impl RabbitMq {
    /// Starts a broker without queues.
    ///
    /// # Errors
    ///
    /// [`Error::Missing`](crate::Error::Missing) when RabbitMQ is not installed,
    /// [`Error::Failed`](crate::Error::Failed) when it does not start.
    pub fn start() -> Result<Self> {
        let folder = Folder::make("rabbitmq")?;
        let (port, tls_port) = (free_port()?, free_port()?);
        let kind = Node {
            // Debian's wrapper in the search path runs as its own user alone.
            program: program("rabbitmq-server")?,
            between_nodes: free_port()?,
        };
        let (certificate, key) = tls::write(&folder)?;
        let configuration = format!(
            "[{{rabbit, [{{tcp_listeners, [{{\"127.0.0.1\", {port}}}]}},
              {{ssl_listeners, [{{\"127.0.0.1\", {tls_port}}}]}},
              {{ssl_options, [{{certfile, \"{}\"}}, {{keyfile, \"{}\"}}]}},
              {{default_user, <<\"{USER}\">>}}, {{default_pass, <<\"{PASSWORD}\">>}},
              {{loopback_users, []}}, {{num_tcp_acceptors, 2}}, {{num_ssl_acceptors, 1}},
              {{disk_free_limit, 1000000}},
              {{vm_memory_high_watermark, {{absolute, 1073741824}}}}]}}].\n",
            certificate.display(),
            key.display(),
        );
        folder.write("advanced.config", &configuration)?;
        folder.write("plugins", "[].\n")?;
        let server = Server::start(kind, port, folder)?;
        Ok(Self { server, tls_port })
    }

    /// Where the broker is, with user and password.
    #[must_use]
    pub fn url(&self) -> String {
        self.url_of(USER, PASSWORD)
    }

    /// Where the broker is, for another user or with another password.
    #[must_use]
    pub fn url_of(&self, user: &str, password: &str) -> String {
        format!("amqp://{user}:{password}@127.0.0.1:{}/%2f", self.port())
    }

    /// Where the broker is for who speaks TLS and believes [`tls_authority`](crate::tls_authority).
    #[must_use]
    pub fn tls_url(&self) -> String {
        format!("amqps://{USER}:{PASSWORD}@localhost:{}/%2f", self.tls_port)
    }
}

impl Deref for RabbitMq {
    type Target = Server;

    fn deref(&self) -> &Server {
        &self.server
    }
}

struct Node {
    program: PathBuf,
    /// Erlang wants a port for other nodes; there are none.
    between_nodes: u16,
}

impl Kind for Node {
    fn command(&self, folder: &Folder) -> Result<Command> {
        let mut command = folder.command(&self.program);
        let file = |name| folder.file(name);
        command.env("RABBITMQ_NODENAME", "rabbit@localhost");
        command.env("RABBITMQ_MNESIA_BASE", file("data"));
        command.env("RABBITMQ_LOG_BASE", file("log"));
        command.env("RABBITMQ_LOGS", "-");
        command.env("RABBITMQ_CONF_ENV_FILE", "/dev/null");
        command.env("RABBITMQ_CONFIG_FILE", file("none"));
        command.env("RABBITMQ_ADVANCED_CONFIG_FILE", file("advanced.config"));
        command.env("RABBITMQ_ENABLED_PLUGINS_FILE", file("plugins"));
        // The script then becomes the Erlang machine and is not between it and its signals.
        command.env("RABBITMQ_ALLOW_INPUT", "1");
        let port = self.between_nodes;
        let erlang = format!(
            "-noinput -sname rabbit@localhost -erl_epmd_port {port} \
             -kernel inet_dist_use_interface {{127,0,0,1}} +S 1:1 +SDio 4 +sbwt none"
        );
        command.env("RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS", erlang);
        // epmd would outlive it. A node that has its name already starts none by itself, but after
        // a minute RabbitMQ misses it and starts an Erlang whose work it is: that reads this too.
        command.env("ERL_AFLAGS", "-start_epmd false");
        Ok(command)
    }

    /// It listens when all else has started, and its first frame is a method's.
    fn is_ready(&self, port: u16) -> bool {
        ask::<1>(port, b"AMQP\0\0\x09\x01").is_ok_and(|answer| answer == [1])
    }
}
