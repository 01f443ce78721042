//! Starts real servers for the tests of Efflux, and ends them.
//!
//! Each server has a temporary folder of its own and ports of the loopback address that nobody
//! else has, is ready when `start` returns, and has ended when its value is dropped. When the test
//! is killed, a watchdog ends what it leaves. All of it blocks: a test with an async runtime calls
//! it from a thread that may wait.
//!
//! ```no_run
//! use efflux_servers::RabbitMq;
//!
//! # fn main() -> Result<(), efflux_servers::Error> {
//! let broker = RabbitMq::start()?;
//! println!("{}", broker.url());
//! broker.kill()?;
//! broker.restart()?; // on the same port, with the same queues
//! broker.pause()?; // it takes connections and answers nothing
//! broker.resume()?;
//! # Ok(())
//! # }
//! ```

mod error;

mod family;
mod folder;
mod port;
mod program;

mod process;

mod server;

mod tls;

mod mosquitto;
mod postgres;
mod rabbitmq;
mod smtp;

pub use error::{Error, Result};
pub use mosquitto::Mosquitto;
pub use postgres::Postgres;
pub use rabbitmq::RabbitMq;
pub use server::Server;
pub use smtp::{Mail, Smtp};
pub use tls::tls_authority;
