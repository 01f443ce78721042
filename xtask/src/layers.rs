//! `cargo xtask layers`: each crate has one edge inside the workspace, to the crate beneath it.
//!
//! Beside the line there are leaves: crates that have no edge inside the workspace, and to which
//! any crate may have one.

use crate::project::{Package, Project};
use crate::{Result, no_arguments};

pub(crate) const HELP: &str = "check that each crate depends only on the crate beneath it";

/// A package of the workspace and the one member it depends on; `None` for none.
const LAYERS: &[(&str, Option<&str>)] = &[
    ("efflux-particle", None),
    ("efflux-storage", Some("efflux-particle")),
    ("efflux-pipeline", Some("efflux-storage")),
    ("efflux-flow", Some("efflux-pipeline")),
    ("efflux-node", Some("efflux-flow")),
    ("efflux-tests", Some("efflux-node")),
    ("efflux-bench", Some("efflux-node")),
    ("xtask", None),
];

/// Packages with no edge inside the workspace. None needs to exist.
const LEAVES: &[&str] = &["efflux-servers", "efflux-xslt"];

pub(crate) fn main(project: &Project, arguments: &[String]) -> Result {
    no_arguments(arguments)?;
    let faults = faults(&project.packages);
    if faults.is_empty() {
        println!(
            "layers: {} packages, each edge goes one layer down",
            project.packages.len()
        );
        return Ok(());
    }
    Err(format!("the layers are broken:\n{}", faults.join("\n")))
}

fn faults(packages: &[Package]) -> Vec<String> {
    packages
        .iter()
        .flat_map(|package| faults_of(package, packages))
        .collect()
}

fn faults_of(package: &Package, packages: &[Package]) -> Vec<String> {
    let name = &package.name;
    let is_leaf = |name: &str| LEAVES.contains(&name);
    let layer = LAYERS.iter().find(|(layer, _)| layer == name);
    let beneath = match layer {
        Some((_, beneath)) => *beneath,
        None if is_leaf(name) => None,
        None => {
            return vec![format!(
                "  {name}: not in the table of layers (xtask/src/layers.rs)"
            )];
        }
    };
    let is_member = |name: &str| packages.iter().any(|member| member.name == name);
    let edges = package
        .dependencies
        .iter()
        .filter(|edge| is_member(&edge.name));
    let allowed = match beneath {
        Some(beneath) => format!("the only edge it may have is to {beneath}, or to a leaf"),
        None if !is_leaf(name) => {
            "it may have no edge inside the workspace but to a leaf".to_owned()
        }
        None => "it may have no edge inside the workspace".to_owned(),
    };
    let mut faults: Vec<String> = edges
        .clone()
        .filter(|edge| Some(edge.name.as_str()) != beneath)
        .filter(|edge| is_leaf(name) || !is_leaf(&edge.name))
        .map(|edge| {
            format!(
                "  {name} -> {} ({} dependency): {allowed}",
                edge.name, edge.kind
            )
        })
        .collect();
    if let Some(beneath) = beneath
        && !edges.clone().any(|edge| edge.name == beneath)
    {
        faults.push(format!("  {name} -> {beneath}: this edge is missing"));
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::project::Dependency;

    fn package(name: &str, edges: &[(&str, &str)]) -> Package {
        let dependency = |&(name, kind): &(&str, &str)| Dependency {
            name: name.to_owned(),
            kind: kind.to_owned(),
        };
        Package {
            name: name.to_owned(),
            dependencies: edges.iter().map(dependency).collect(),
            ..Package::default()
        }
    }

    fn check(package_edges: &[(&str, &[(&str, &str)])], expect: &[&str]) {
        let packages: Vec<_> = package_edges
            .iter()
            .map(|(name, edges)| package(name, edges))
            .collect();
        let faults = faults(&packages);
        assert_eq!(faults.len(), expect.len(), "{faults:?}");
        for (fault, part) in faults.iter().zip(expect) {
            assert!(fault.contains(part), "{fault} does not say {part}");
        }
    }

    const PARTICLE: (&str, &[(&str, &str)]) = ("efflux-particle", &[("sha2", "normal")]);
    const STORAGE: (&str, &[(&str, &str)]) = ("efflux-storage", &[("efflux-particle", "normal")]);

    #[test]
    fn edges_to_the_crate_beneath_and_outwards_are_fine() {
        check(
            &[PARTICLE, STORAGE, ("xtask", &[("serde_json", "normal")])],
            &[],
        );
    }

    #[test]
    fn an_edge_that_skips_a_layer_is_named() {
        let pipeline = [("efflux-storage", "normal"), ("efflux-particle", "normal")];
        let expect = ["efflux-pipeline -> efflux-particle (normal dependency)"];
        check(
            &[PARTICLE, STORAGE, ("efflux-pipeline", &pipeline)],
            &expect,
        );
    }

    #[test]
    fn dev_and_build_edges_count() {
        let particle = [("efflux-storage", "dev"), ("xtask", "build")];
        let packages = [("efflux-particle", &particle[..]), STORAGE, ("xtask", &[])];
        check(
            &packages,
            &[
                "efflux-storage (dev dependency)",
                "xtask (build dependency)",
            ],
        );
    }

    #[test]
    fn any_crate_may_stand_on_a_leaf_and_a_leaf_on_nothing() {
        const LEAF: (&str, &[(&str, &str)]) = ("efflux-servers", &[]);
        let storage = [("efflux-particle", "normal"), ("efflux-servers", "dev")];
        let particle = [("efflux-servers", "normal")];
        check(
            &[
                LEAF,
                ("efflux-particle", &particle),
                ("efflux-storage", &storage),
            ],
            &[],
        );
        let leaf = [("efflux-particle", "dev"), ("efflux-xslt", "normal")];
        check(
            &[
                PARTICLE,
                ("efflux-servers", &leaf),
                ("efflux-xslt", &[][..]),
            ],
            &[
                "efflux-servers -> efflux-particle (dev dependency)",
                "efflux-servers -> efflux-xslt (normal dependency)",
            ],
        );
    }

    #[test]
    fn a_missing_edge_and_an_unknown_package_are_named() {
        let packages = [
            PARTICLE,
            ("efflux-storage", &[][..]),
            ("efflux-other", &[][..]),
        ];
        check(
            &packages,
            &["edge is missing", "efflux-other: not in the table"],
        );
    }
}
