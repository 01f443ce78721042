//! Tests of the step `xslt`.

use efflux_storage::particle::Message;

use super::*;
use crate::transform::tests::{apply, refusal, texts};

fn xslt(body: &str) -> Result<Xslt, XsltError> {
    let stylesheet = format!(
        "<xsl:stylesheet version='1.0' xmlns:xsl='http://www.w3.org/1999/XSL/Transform'>\n{body}\n\
         </xsl:stylesheet>"
    );
    let region: Template = "{properties.region|nowhere}".parse().unwrap();
    let parameters = [("region".to_owned(), region)].into();
    Xslt::new(XsltSettings {
        stylesheet,
        parameters,
    })
}

#[test]
fn a_document_becomes_what_the_stylesheet_says_with_its_media_type() {
    let mail = xslt(
        "<xsl:output method='html' encoding='ISO-8859-1'/><xsl:param name='region'/>\
         <xsl:template match='/'><html><p><xsl:value-of select='$region'/>: <xsl:value-of select='o/@id'/></p></html></xsl:template>",
    )
    .unwrap();
    let order = Message::new("<o id='7ä'/>").with_property("region", "eu' or '1");
    let made = apply(&mail, order).unwrap().remove(0);
    assert_eq!(made.content_type(), Some("text/html; charset=iso-8859-1"));
    let text = made
        .payload()
        .iter()
        .map(|&byte| char::from(byte))
        .collect::<String>();
    assert!(text.contains("eu' or '1: 7ä"), "{text}");
    let plain = xslt("<xsl:output method='text'/><xsl:template match='/'>[<xsl:value-of select='.'/>]</xsl:template>").unwrap();
    assert_eq!(texts(&plain, "<a>x</a>"), ["[x]"]);
}

#[test]
fn faults_tell_whose_they_are() {
    let error = xslt("<xsl:template match='a['/>").unwrap_err();
    assert_eq!(error.kind, XsltErrorKind::Stylesheet);
    let stop = xslt("<xsl:template match='/'><xsl:message terminate='yes'>no price</xsl:message></xsl:template>").unwrap();
    assert!(refusal(&stop, "<a/>").contains("the stylesheet: no price"));
    assert!(refusal(&stop, "<a>").contains("the payload: line 1"));
    assert!(
        refusal(
            &stop,
            "<!DOCTYPE a [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><a>&x;</a>"
        )
        .contains("document type")
    );
}
