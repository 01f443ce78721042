//! What each route needs. This is the one place that says so.

use http::Method;

use super::permission::Action;

/// What a request needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// Nothing: it tells nothing that is stored.
    Nothing,
    /// A valid token; the answer tells what its owner may know.
    Token,
    /// This action on the topic in the path.
    OnTopic(Action),
    /// This action on every topic.
    Everywhere(Action),
}

/// What a request needs that goes to this route; none when it is not known, which is denied.
pub(crate) fn need(method: &Method, route: &str) -> Option<Need> {
    use Action::{Admin, Append, Consume, Read};
    let is_read = method == Method::GET || method == Method::HEAD;
    match route {
        "/healthz" | "/readyz" | "/openapi.json" => return Some(Need::Nothing),
        // The page that anyone may see, and nothing of what it shows to those who have a token.
        "/console" | "/console/{file}" => return Some(Need::Nothing),
        "/metrics" => return Some(Need::Everywhere(Admin)),
        "/v1/topics" => return Some(Need::Token),
        "/v1/pipelines"
        | "/v1/pipelines/reload"
        | "/v1/pipelines/{pipeline}"
        | "/v1/pipelines/{pipeline}/start"
        | "/v1/pipelines/{pipeline}/stop" => return Some(Need::Everywhere(Admin)),
        _ => {}
    }
    let action = match route.strip_prefix("/v1/topics/{topic}")? {
        "" | "/particles" if is_read => Read,
        "" | "/reopen" | "/restoration" => Admin,
        "/particles" | "/batches" | "/appends" => Append,
        "/head"
        | "/consumers"
        | "/events"
        | "/verify"
        | "/ids/{id}"
        | "/particles/{sequence}"
        | "/particles/{sequence}/payload" => Read,
        "/consumers/{consumer}"
        | "/consumers/{consumer}/state"
        | "/consumers/{consumer}/receive"
        | "/consumers/{consumer}/commit"
        | "/consumers/{consumer}/rollback"
        | "/consumers/{consumer}/extend"
        | "/consumers/{consumer}/seek" => Consume,
        _ => return None,
    };
    Some(Need::OnTopic(action))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_route_says_what_it_needs() {
        let described = crate::server::openapi();
        let frames = ["/appends", "/restoration"].map(|it| format!("/v1/topics/{{topic}}{it}"));
        // The console is for browsers, and what is described is for programs.
        let console = [crate::server::console::PAGE, crate::server::console::FILE];
        let undescribed = frames.into_iter().chain(console.map(String::from));
        let undescribed: Vec<String> = undescribed.collect();
        for route in described["paths"]
            .as_object()
            .unwrap()
            .keys()
            .chain(&undescribed)
        {
            assert!(need(&Method::GET, route).is_some(), "{route}");
        }
        let topic = "/v1/topics/{topic}";
        assert_eq!(need(&Method::GET, topic), Some(Need::OnTopic(Action::Read)));
        assert_eq!(
            need(&Method::DELETE, topic),
            Some(Need::OnTopic(Action::Admin))
        );
        assert_eq!(
            need(&Method::PUT, topic),
            Some(Need::OnTopic(Action::Admin))
        );
        let particles = "/v1/topics/{topic}/particles";
        assert_eq!(
            need(&Method::POST, particles),
            Some(Need::OnTopic(Action::Append))
        );
        assert_eq!(
            need(&Method::HEAD, particles),
            Some(Need::OnTopic(Action::Read))
        );
        assert_eq!(need(&Method::GET, "/v1/new"), None);
    }
}
