//! What is to be read from where, checked before anything is changed.

use efflux_node::import::{
    BytesRead, Fault, Format, Mapping, RecordOptions, Records, Source, TimeFormat,
};

use super::Arguments;
use crate::exit::{Exit, Failure};

/// One file that is to be imported.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) source: Source,
    pub(super) format: Option<Format>,
    pub(super) options: RecordOptions,
    pub(super) mapping: Mapping,
    /// What ids are derived from.
    pub(super) identity: String,
}

impl Plan {
    /// The plans for all files; every file must be there.
    pub(super) fn of_all(arguments: &Arguments) -> Result<Vec<Self>, Failure> {
        if arguments.files.iter().filter(|file| *file == "-").count() > 1 {
            return Err(Failure::usage("standard input can be read only once"));
        }
        if arguments.source.is_some() && arguments.files.len() > 1 {
            return Err(
                Failure::usage("--source names one file, and there are several")
                    .with_detail("records of two files would get the same ids"),
            );
        }
        arguments
            .files
            .iter()
            .map(|file| Self::of(arguments, file))
            .collect()
    }

    fn of(arguments: &Arguments, file: &str) -> Result<Self, Failure> {
        let source = Source::named(file);
        if let Some(path) = source.path() {
            let metadata =
                std::fs::metadata(path).map_err(|error| Failure::io(&source.label(), &error))?;
            if metadata.is_dir() {
                return Err(Failure::usage(format!("{file} is a folder"))
                    .with_try(format!("{}/*", file.trim_end_matches('/'))));
            }
        }
        let mut options = RecordOptions::default();
        if let Some(path) = &arguments.records {
            options = options.with_records(path.clone());
        }
        let is_tsv = file.ends_with(".tsv") || file.ends_with(".tsv.gz");
        if let Some(delimiter) = arguments.delimiter.or(is_tsv.then_some(b'\t')) {
            options = options.with_delimiter(delimiter);
        }
        let identity = arguments
            .source
            .clone()
            .unwrap_or_else(|| source.identity());
        let mapping = mapping(arguments);
        Ok(Self {
            source,
            format: arguments.format,
            options,
            mapping,
            identity,
        })
    }

    /// Opens the file and begins to read it.
    pub(super) fn open(&self, read: &BytesRead) -> Result<(Format, Records), Failure> {
        let label = self.source.label();
        let unreadable = |error: std::io::Error| Failure::io(&label, &error);
        let mut bytes = self.source.open(read).map_err(unreadable)?;
        let format = match self.format {
            Some(format) => format,
            None => Format::detect(self.source.path(), &mut *bytes)
                .map_err(unreadable)?
                .ok_or_else(|| {
                    Failure::usage(format!(
                        "{label}: neither its name nor its beginning tells its format"
                    ))
                    .with_try("--format ndjson, json, csv, lines or frames")
                })?,
        };
        self.check(format)?;
        let records = Records::new(format, bytes, &self.options).map_err(|fault| match fault {
            Fault::Malformed(fault) => {
                Failure::new(Exit::Failure, format!("{label}:{}: {fault}", fault.place))
            }
            Fault::Io(error) => Failure::io(&label, &error),
        })?;
        if let Some(columns) = records.columns() {
            self.check_columns(columns)?;
        }
        Ok((format, records))
    }

    /// Refuses what the format cannot give.
    fn check(&self, format: Format) -> Result<(), Failure> {
        let label = self.source.label();
        let field = self.mapping.fields().next();
        match (format, field) {
            (Format::Lines, Some(field)) => Err(Failure::usage(format!(
                "{label} is read as lines, which have no field {field}"
            ))
            .with_try("--format ndjson, json or csv")),
            (Format::Frames, _) if !self.mapping.is_empty() => Err(Failure::usage(format!(
                "{label} holds frames, which keep their own metadata"
            ))
            .with_try("leave the field options out")),
            (Format::Json, _) => Ok(()),
            (format, _) if self.options.records.is_some() => Err(Failure::usage(format!(
                "{label} is read as {format}, and --records goes with JSON documents"
            ))
            .with_try("--format json")),
            _ => Ok(()),
        }
    }

    fn check_columns(&self, columns: &[String]) -> Result<(), Failure> {
        for field in self.mapping.fields() {
            if !columns.iter().any(|column| column == field.as_str()) {
                let label = self.source.label();
                return Err(
                    Failure::usage(format!("{label} has no column {:?}", field.as_str()))
                        .with_detail(format!("its columns: {}", columns.join(", "))),
                );
            }
        }
        Ok(())
    }
}

fn mapping(arguments: &Arguments) -> Mapping {
    let given = arguments.mapping.clone();
    let mut mapping = Mapping::default();
    if let Some(field) = given.id {
        mapping = mapping.with_id(field);
    }
    if let Some(data_type) = given.data_type {
        mapping = mapping.with_data_type(data_type);
    }
    if let Some(field) = given.type_from {
        mapping = mapping.with_data_type_from(field);
    }
    if let Some(field) = given.time_from {
        mapping = mapping.with_time_from(field, given.time_format.unwrap_or(TimeFormat::Common));
    }
    if let Some(field) = given.group_from {
        mapping = mapping.with_group_from(field);
    }
    for rule in given.properties {
        mapping = mapping.with_property(rule);
    }
    mapping
}
