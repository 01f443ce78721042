//! Where in a pipeline something happened.

use std::fmt;
use std::str::FromStr;

use crate::step_name::{StepName, StepNameError};

/// Where in a pipeline something happened. Its text is `connector`, `port` or `step NAME`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Stage {
    /// Where messages come in.
    Connector,
    /// In a step.
    Step(StepName),
    /// Where they leave.
    Port,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connector => f.write_str("connector"),
            Self::Step(name) => write!(f, "step {name}"),
            Self::Port => f.write_str("port"),
        }
    }
}

impl FromStr for Stage {
    type Err = StepNameError;

    fn from_str(text: &str) -> Result<Self, StepNameError> {
        match text {
            "connector" => Ok(Self::Connector),
            "port" => Ok(Self::Port),
            _ => text
                .strip_prefix("step ")
                .unwrap_or_default()
                .parse()
                .map(Self::Step),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stages_text_reads_back() {
        for text in ["connector", "port", "step split-2", "step port"] {
            assert_eq!(text.parse::<Stage>().unwrap().to_string(), text);
        }
        assert!("split".parse::<Stage>().is_err());
    }
}
