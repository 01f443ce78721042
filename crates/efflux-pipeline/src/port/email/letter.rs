//! How a message becomes a mail.

use lettre::Message as Mail;
use lettre::message::header::ContentType;
use lettre::message::{Attachment, Body, Mailbox, MultiPart, SinglePart};

use super::{EmailAttachment, EmailPortSettings};
use crate::derived_id::derived_id;
use crate::parcel::Parcel;
use crate::stage_error::StageError;
use crate::template::Template;

const FILE_NAME_BYTES_MAX: usize = 255;

/// Writes mails.
#[derive(Debug)]
pub(super) struct Writer {
    settings: EmailPortSettings,
    from: Mailbox,
    /// One for each recipient.
    to: Vec<Template>,
}

impl Writer {
    pub(super) fn new(settings: EmailPortSettings) -> Result<Self, StageError> {
        let from = settings.from.parse().map_err(|error| {
            let from = &settings.from;
            StageError::fatal(format!("from is no address, {from:?}: {error}"))
        })?;
        let to = settings.to.between_commas();
        Ok(Self { settings, from, to })
    }

    /// The mail that a message becomes.
    ///
    /// # Errors
    /// `Rejected` when the message lacks what it needs, a recipient is no address, or data would
    /// begin a header of its own.
    pub(super) fn write(&self, parcel: &Parcel) -> Result<Mail, StageError> {
        let mut builder = Mail::builder()
            .from(self.from.clone())
            .subject(self.line("subject", &self.settings.subject, parcel)?)
            .message_id(Some(self.message_id(parcel)?))
            .user_agent("efflux".to_owned());
        for recipient in self.recipients(parcel)? {
            builder = builder.to(recipient);
        }
        let body = self.body(parcel)?;
        let mail = match (body, &self.settings.attachment) {
            (Some(body), None) => builder.multipart(body),
            (body, Some(attachment)) => {
                let mixed = MultiPart::mixed().build();
                let mixed = match body {
                    Some(body) => mixed.multipart(body),
                    None => mixed,
                };
                builder.multipart(mixed.singlepart(self.attached(attachment, parcel)?))
            }
            (None, None) => return Err(StageError::fatal("a mail needs a body")),
        };
        mail.map_err(|error| StageError::rejected(format!("no mail can be made of it: {error}")))
    }

    /// The body, as text, as HTML, or as both, of which the reader chooses.
    fn body(&self, parcel: &Parcel) -> Result<Option<MultiPart>, StageError> {
        let render = |template: &Option<Template>| {
            let template = template.as_ref();
            template.map(|template| template.render(parcel)).transpose()
        };
        let (text, html) = (render(&self.settings.text)?, render(&self.settings.html)?);
        if text.is_none() && html.is_none() {
            return Ok(None);
        }
        let mut parts = MultiPart::alternative().build();
        if let Some(text) = text {
            parts = parts.singlepart(SinglePart::plain(text));
        }
        if let Some(html) = html {
            parts = parts.singlepart(SinglePart::html(html));
        }
        Ok(Some(parts))
    }

    fn attached(
        &self,
        attachment: &EmailAttachment,
        parcel: &Parcel,
    ) -> Result<SinglePart, StageError> {
        let name = self.line("attachment.name", &attachment.name, parcel)?;
        if !is_file_name(&name) {
            return Err(StageError::rejected(
                "the attachment's name is none that a file can have",
            ));
        }
        let kind = match (&attachment.content_type, parcel.message.content_type()) {
            (Some(declared), _) => ContentType::parse(declared).ok(),
            (None, Some(own)) => ContentType::parse(own).ok(),
            (None, None) => None,
        };
        // What is no media type is bytes.
        let kind = kind.or_else(|| ContentType::parse("application/octet-stream").ok());
        let kind = kind.ok_or_else(|| StageError::rejected("it has no media type"))?;
        let body = Body::new(parcel.content()?.to_vec());
        Ok(Attachment::new(name).body(body, kind))
    }

    /// The recipients: as many as the settings name, less those for which the message has no text.
    /// Data is within one of them, and never makes another.
    fn recipients(&self, parcel: &Parcel) -> Result<Vec<Mailbox>, StageError> {
        let mut recipients = Vec::with_capacity(self.to.len());
        for template in &self.to {
            let text = self.line("to", template, parcel)?;
            let text = text.trim();
            if text.is_empty() {
                continue;
            }
            let recipient = text.parse::<Mailbox>().map_err(|error| {
                let shown: String = text.chars().take(80).collect();
                StageError::rejected(format!("to is no address, {shown:?}: {error}"))
            })?;
            recipients.push(recipient);
        }
        match recipients.is_empty() {
            true => Err(StageError::rejected("the mail has no recipient")),
            false => Ok(recipients),
        }
    }

    /// A text that stands in a header. Data that would end it, and begin another one, is refused.
    fn line(&self, what: &str, from: &Template, parcel: &Parcel) -> Result<String, StageError> {
        let text = from.render(parcel)?;
        match refused_line(what, &text) {
            Some(why) => Err(StageError::rejected(why)),
            None => Ok(text),
        }
    }

    /// The same message makes the same one, whenever it is sent.
    fn message_id(&self, parcel: &Parcel) -> Result<String, StageError> {
        let id = match parcel.message.id() {
            Some(id) => derived_id(&[b"mail", id.to_string().as_bytes()]),
            None => derived_id(&[b"mail", parcel.content()?.as_ref()]),
        };
        Ok(format!("<{id}@{}>", self.from.email.domain()))
    }
}

/// Why a text can stand in no header, if it cannot.
pub(super) fn refused_line(what: &str, text: &str) -> Option<String> {
    let is_refused = text.contains(char::is_control);
    is_refused.then(|| format!("{what} holds a line feed or another control character"))
}

/// Whether a file that is attached can have this name.
pub(super) fn is_file_name(name: &str) -> bool {
    let is_short = (1..=FILE_NAME_BYTES_MAX).contains(&name.len());
    is_short && !name.contains(['/', '\\', '"'])
}

#[cfg(test)]
mod tests;
