//! A COPY that is under way. The server reads the first rows while the next ones are made.

use std::pin::Pin;

use bytes::{Bytes, BytesMut};
use futures_util::SinkExt;
use tokio_postgres::CopyInSink;

use super::copy_text::write_row;
use super::fault::Fault;
use super::session::Session;
use crate::limits::COPY_BYTES;

/// A COPY that is under way, of rows that have these columns.
pub(super) struct Copying {
    pub(super) columns: Vec<usize>,
    sink: Pin<Box<CopyInSink<Bytes>>>,
    bytes: BytesMut,
    /// What takes the rows from where they were copied to.
    unstage: Option<String>,
}

impl Copying {
    pub(super) async fn begin(session: &mut Session, columns: Vec<usize>) -> Result<Self, Fault> {
        let statement = session.statement(&columns);
        if let Some(stage) = statement.stage() {
            session.connection.batch_execute(&stage).await?;
        }
        let unstage = statement.unstage();
        let copy = session.prepared(&columns, |it| it.copy()).await?;
        let sink = session.connection.copy_in(&copy).await?;
        Ok(Self {
            unstage,
            sink: Box::pin(sink),
            bytes: BytesMut::with_capacity(COPY_BYTES),
            columns,
        })
    }

    pub(super) async fn add(&mut self, values: &[Option<String>]) -> Result<(), Fault> {
        write_row(values, &mut self.bytes);
        if self.bytes.len() >= COPY_BYTES {
            let full = std::mem::replace(&mut self.bytes, BytesMut::with_capacity(COPY_BYTES));
            self.sink.send(full.freeze()).await?;
        }
        Ok(())
    }

    pub(super) async fn end(mut self, session: &Session) -> Result<(), Fault> {
        self.sink.send(self.bytes.freeze()).await?;
        self.sink.as_mut().finish().await?;
        if let Some(unstage) = self.unstage {
            session.connection.batch_execute(&unstage).await?;
        }
        Ok(())
    }
}
