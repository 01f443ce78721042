//! Routers that settings describe: by a template, by queries, evenly.

use efflux_storage::Query;
use efflux_storage::particle::TopicName;
use serde::Deserialize;
use serde_json::Value;

use super::{Route, Router};
use crate::derived_id::derived_id;
use crate::parcel::Parcel;
use crate::setting_fault::SettingFault;
use crate::stage_error::StageError;
use crate::template::Template;

/// How the topic of a message is chosen. Exactly one of `topic`, `rules` and `evenly` is given.
#[derive(Clone, Debug, Default, Deserialize)]
#[cfg_attr(feature = "file", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
#[cfg_attr(feature = "file", schemars(extend("oneOf" = [
    { "required": ["topic"] },
    { "required": ["rules"], "properties": { "rules": { "minItems": 1 } } },
    { "required": ["evenly"], "properties": { "evenly": { "minItems": 1 } } },
])))]
pub struct RouterSettings {
    /// The topic, as a template: `orders`, or `orders-{properties.region}`.
    pub topic: Option<Template>,
    /// Queries that are asked one after the other; the first that matches chooses the topic.
    #[serde(default)]
    pub rules: Vec<RouteRule>,
    /// Topics among which messages are spread evenly (round robin). The id of a message decides, so
    /// that one that comes twice goes the same way.
    #[serde(default)]
    pub evenly: Vec<String>,
    /// The topic for messages that no rule matches, whose template cannot be filled in or makes no
    /// name, or whose topic is not there and is not made. Without it they are rejected.
    pub otherwise: Option<String>,
    /// Whether topics that are not there are made.
    #[serde(default = "yes")]
    pub make_topics: bool,
}

const fn yes() -> bool {
    true
}

/// A query, and the topic of what matches it.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "file", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
pub struct RouteRule {
    /// The query, over metadata and, as `data.…`, over a JSON payload.
    pub when: String,
    /// The topic, as a template.
    pub topic: Template,
}

impl RouterSettings {
    /// All that is wrong: a query that is none, a name that is none, or not exactly one way.
    pub(crate) fn faults(&self) -> Vec<SettingFault> {
        let mut faults = Vec::new();
        let ways = [
            self.topic.is_some(),
            !self.rules.is_empty(),
            !self.evenly.is_empty(),
        ];
        if ways.iter().filter(|is_given| **is_given).count() != 1 {
            let what = "a router has exactly one of `topic`, `rules` and `evenly`";
            faults.push(SettingFault::lack(what));
        }
        let of_name = |name: &str| named(name).err().map(SettingFault::new);
        let of_template = |topic: &Template| of_name(&topic.fixed()?);
        let of_topic = self.topic.as_ref().and_then(of_template);
        faults.extend(of_topic.map(|fault| fault.within("topic")));
        for (at, rule) in self.rules.iter().enumerate() {
            let query = rule.when.parse::<Query>().err();
            let query = query.map(|error| SettingFault::at_byte(error.at, error.message));
            let query = query.map(|fault| fault.within("when"));
            let topic = of_template(&rule.topic).map(|fault| fault.within("topic"));
            let of_rule = query.into_iter().chain(topic);
            faults.extend(of_rule.map(|fault| fault.within(at).within("rules")));
        }
        for (at, name) in self.evenly.iter().enumerate() {
            faults.extend(of_name(name).map(|fault| fault.within(at).within("evenly")));
        }
        let otherwise = self.otherwise.as_deref().and_then(of_name);
        faults.extend(otherwise.map(|fault| fault.within("otherwise")));
        faults
    }

    /// The topics that it names without a place to fill in, each with the keys that lead to it.
    #[cfg(feature = "declared")]
    pub(crate) fn fixed(&self) -> Vec<(Vec<crate::file::Key>, String)> {
        let topic = self.topic.as_ref().and_then(Template::fixed);
        let topic = topic.map(|name| (vec!["topic".into()], name));
        let rules = self.rules.iter().enumerate().filter_map(|(at, rule)| {
            let path = vec!["rules".into(), at.into(), "topic".into()];
            Some((path, rule.topic.fixed()?))
        });
        let evenly = self.evenly.iter().enumerate();
        let evenly = evenly.map(|(at, name)| (vec!["evenly".into(), at.into()], name.clone()));
        let otherwise = self.otherwise.iter();
        let otherwise = otherwise.map(|name| (vec!["otherwise".into()], name.clone()));
        topic
            .into_iter()
            .chain(rules)
            .chain(evenly)
            .chain(otherwise)
            .collect()
    }
}

/// Chooses topics as settings say.
#[derive(Clone, Debug)]
pub struct Routes {
    way: Way,
    otherwise: Option<TopicName>,
}

#[derive(Clone, Debug)]
enum Way {
    Template(Template),
    Rules(Vec<(Query, Template)>),
    Evenly(Vec<TopicName>),
}

impl Routes {
    /// A router by these settings.
    ///
    /// # Errors
    /// What is wrong with them: a query that is none, a name that is none, or not exactly one way.
    pub fn new(settings: &RouterSettings) -> Result<Self, String> {
        if let Some(fault) = settings.faults().into_iter().next() {
            return Err(fault.what().to_owned());
        }
        let RouterSettings {
            topic,
            rules,
            evenly,
            ..
        } = settings;
        let way = match (topic, rules.as_slice(), evenly.as_slice()) {
            (Some(topic), [], []) => Way::Template(topic.clone()),
            (None, [_, ..], []) => Way::Rules(rules.iter().map(rule).collect::<Result<_, _>>()?),
            (None, [], [_, ..]) => {
                let names = evenly.iter().map(|name| named(name));
                Way::Evenly(names.collect::<Result<_, _>>()?)
            }
            _ => {
                return Err("a router has exactly one of `topic`, `rules` and `evenly`".to_owned());
            }
        };
        let otherwise = settings.otherwise.as_deref().map(named).transpose()?;
        Ok(Self { way, otherwise })
    }

    fn choose(&self, parcel: &Parcel) -> Result<TopicName, StageError> {
        let topic = match &self.way {
            Way::Template(topic) => topic,
            Way::Rules(rules) => {
                let data: Option<Value> = match rules.iter().any(|(query, _)| query.reads_data()) {
                    true => serde_json::from_slice(&parcel.content()?).ok(),
                    false => None,
                };
                let origin = parcel.origin().metadata();
                let matches =
                    |query: &Query| query.matches_message(&parcel.message, origin, data.as_ref());
                let found = rules.iter().find(|(query, _)| matches(query));
                let (_, topic) = found
                    .ok_or_else(|| StageError::rejected("no rule of the router matches it"))?;
                topic
            }
            Way::Evenly(topics) => {
                let id = parcel.message.id().map(ToString::to_string);
                let hash = derived_id(&[id.unwrap_or_default().as_bytes()]);
                // The last bytes of the id are random bits in full.
                let bits = hash.uuid().map_or(0, |uuid| {
                    uuid.iter()
                        .rev()
                        .take(6)
                        .fold(0_usize, |bits, byte| bits << 8 | usize::from(*byte))
                });
                let topic = topics.get(bits % topics.len().max(1));
                let none = || StageError::rejected("the router has no topics");
                return topic.cloned().ok_or_else(none);
            }
        };
        let name = topic.render(parcel)?;
        named(&name).map_err(StageError::rejected)
    }
}

fn rule(rule: &RouteRule) -> Result<(Query, Template), String> {
    let query = rule.when.parse().map_err(|error| format!("{error}"))?;
    Ok((query, rule.topic.clone()))
}

fn named(name: &str) -> Result<TopicName, String> {
    name.parse().map_err(|error| format!("{error}"))
}

impl Router for Routes {
    fn route(&self, parcel: &Parcel) -> Result<Route, StageError> {
        match (self.choose(parcel), &self.otherwise) {
            (Ok(topic), _) => Ok(Route::To(topic)),
            (Err(_), Some(otherwise)) => Ok(Route::To(otherwise.clone())),
            (Err(error), None) => Err(error),
        }
    }

    fn otherwise(&self) -> Option<&TopicName> {
        self.otherwise.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use efflux_storage::particle::Message;
    use std::collections::BTreeMap;

    fn routes(settings: &str) -> Result<Routes, String> {
        Routes::new(&serde_json::from_str(settings).unwrap())
    }

    fn route(settings: &str, message: Message) -> Result<String, String> {
        let parcel = Parcel::of_message(message);
        match routes(settings)?.route(&parcel) {
            Ok(Route::To(topic)) => Ok(topic.to_string()),
            Ok(Route::Drop(reason)) => Err(reason),
            Err(error) => Err(error.reason()),
        }
    }

    #[test]
    fn a_template_names_the_topic() {
        let settings = r#"{"topic": "orders-{properties.region}"}"#;
        let eu = Message::new("a").with_property("region", "eu");
        assert_eq!(route(settings, eu).as_deref(), Ok("orders-eu"));
        assert!(
            route(settings, Message::new("a"))
                .unwrap_err()
                .contains("properties.region")
        );
        let odd = Message::new("a").with_property("region", "../x");
        assert!(route(settings, odd.clone()).is_err());
        let settings = r#"{"topic": "orders-{properties.region}", "otherwise": "other"}"#;
        assert_eq!(route(settings, odd).as_deref(), Ok("other"));
    }

    #[test]
    fn the_first_rule_that_matches_decides() {
        let settings = r#"{"rules": [
            {"when": "type = order and data.total > 100", "topic": "large"},
            {"when": "type = order", "topic": "orders"}
        ]}"#;
        let order = |payload: &'static str| Message::new(payload).with_data_type("order");
        assert_eq!(
            route(settings, order("{\"total\":120}")).as_deref(),
            Ok("large")
        );
        assert_eq!(route(settings, order("no json")).as_deref(), Ok("orders"));
        assert!(
            route(settings, Message::new("a"))
                .unwrap_err()
                .contains("no rule")
        );
    }

    #[test]
    fn messages_are_spread_evenly_and_each_goes_the_same_way_again() {
        let settings = r#"{"evenly": ["a", "b", "c"]}"#;
        let routes = routes(settings).unwrap();
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        for number in 0..3000 {
            let id = format!("m-{number}").parse().unwrap();
            let parcel = Parcel::of_message(Message::new("a").with_id(id));
            let Ok(Route::To(topic)) = routes.route(&parcel) else {
                panic!("it has a route");
            };
            assert_eq!(routes.route(&parcel).unwrap(), Route::To(topic.clone()));
            *counts.entry(topic.to_string()).or_default() += 1;
        }
        assert!(
            counts.values().all(|count| (900..1100).contains(count)),
            "{counts:?}"
        );
    }

    #[test]
    fn what_is_no_router_is_refused() {
        for settings in [
            "{}",
            r#"{"topic": "a", "evenly": ["b"]}"#,
            r#"{"topic": "../a"}"#,
            r#"{"rules": [{"when": "type =", "topic": "a"}]}"#,
            r#"{"evenly": ["a b"]}"#,
        ] {
            assert!(routes(settings).is_err(), "{settings}");
        }
    }
}
