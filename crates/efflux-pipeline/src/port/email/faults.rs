//! What is wrong with the settings of mails.

use std::net::IpAddr;

use lettre::message::Mailbox;
use lettre::message::header::ContentType;

use super::letter::{is_file_name, refused_line};
use super::server::{Server, is_here};
use super::{EmailPortSettings, EmailTls};
use crate::limits::RECIPIENTS_MAX;
use crate::setting_fault::SettingFault;
use crate::template::Template;

impl EmailPortSettings {
    /// All that is wrong, without asking the server.
    pub(crate) fn faults(&self) -> Vec<SettingFault> {
        let mut faults = self.faults_of_server();
        if let Err(error) = self.from.parse::<Mailbox>() {
            let what = format!("from is no address, {:?}: {error}", self.from);
            faults.push(SettingFault::of("from", what));
        }
        faults.extend(fault_of_recipients(&self.to).map(|what| SettingFault::of("to", what)));
        let subject = refused_line("subject", &self.subject.filled_with(""));
        faults.extend(subject.map(|what| SettingFault::of("subject", what)));
        if self.text.is_none() && self.html.is_none() && self.attachment.is_none() {
            faults.push(SettingFault::lack("a mail needs text, html or attachment"));
        }
        if let Some(attachment) = &self.attachment {
            let name = attachment.name.fixed();
            let name = name.filter(|name| !is_file_name(name));
            let name = name.map(|_| {
                let what = "the attachment's name is none that a file can have";
                SettingFault::of("name", what)
            });
            let kind = attachment.content_type.as_ref();
            let kind = kind.filter(|kind| ContentType::parse(kind).is_err());
            let kind = kind
                .map(|kind| SettingFault::of("content_type", format!("{kind:?} is no media type")));
            let found = name.into_iter().chain(kind);
            faults.extend(found.map(|fault| fault.within("attachment")));
        }
        faults
    }

    fn faults_of_server(&self) -> Vec<SettingFault> {
        let mut faults = Vec::new();
        let is_letter = |letter: char| letter.is_alphanumeric() || "-._".contains(letter);
        let is_host = !self.host.is_empty() && self.host.chars().all(is_letter)
            || self.host.parse::<IpAddr>().is_ok();
        let host = format!("{:?} is no name or address of a mail server", self.host);
        faults.extend(SettingFault::unless(is_host, "host", &host));
        let no_port = "0 is no number of a port";
        faults.extend(SettingFault::unless(self.port != Some(0), "port", no_port));
        faults.extend(SettingFault::unless(
            self.tls != EmailTls::None || is_here(&self.host),
            "tls",
            "tls none is for a mail server on this machine; set starttls or implicit",
        ));
        let both = "user and password belong together";
        match (&self.user, &self.password) {
            (Some(_), None) => faults.push(SettingFault::lack(both).within("user")),
            (None, Some(_)) => faults.push(SettingFault::lack(both).within("password")),
            _ => {}
        }
        faults.extend(SettingFault::unless(
            !self.timeout.0.is_zero(),
            "timeout",
            "a timeout of 0: no server answers in it",
        ));
        // What is left to be wrong is the file.
        if faults.is_empty()
            && self.ca_file.is_some()
            && let Err(error) = Server::new(self)
        {
            faults.push(SettingFault::from(error).within("ca_file"));
        }
        faults
    }
}

/// What is wrong with recipients that all mails have.
fn fault_of_recipients(to: &Template) -> Option<String> {
    let pieces = to.between_commas();
    if pieces.len() > RECIPIENTS_MAX {
        let count = pieces.len();
        return Some(format!(
            "to names {count} recipients, and {RECIPIENTS_MAX} are the bound"
        ));
    }
    let fixed = || pieces.iter().filter_map(Template::fixed);
    let is_nobody = |text: String| text.trim().is_empty();
    if fixed().count() == pieces.len() && fixed().all(is_nobody) {
        return Some("the mail has no recipient".to_owned());
    }
    let mut named = fixed().filter(|text| !text.trim().is_empty());
    named.find_map(|text| {
        let refused = refused_line("to", &text);
        refused.or_else(|| {
            let error = text.trim().parse::<Mailbox>().err()?;
            Some(format!("to is no address, {:?}: {error}", text.trim()))
        })
    })
}
