//! One pass over a file that counts what could wear the host out, and collects
//! the names at its surface. It validates nothing: the compiler does that.

use super::manifest::SECTION;
use super::{AdmissionLimits, Refused};
use crate::sandbox::limits::{Bytes, CORE_INSTANCES_MAX, MEMORIES_MAX, TABLES_MAX};
use wasmparser::{BinaryReaderError, ComponentTypeRef, Encoding, Parser, Payload};

/// What a file is made of.
#[derive(Debug, Default)]
pub(super) struct Survey {
    /// Names of what the component imports.
    pub(super) imports: Vec<String>,
    /// Names of what the component exports.
    pub(super) exports: Vec<String>,
    /// What it asks for, as it stands in its own section.
    pub(super) manifest: Option<Vec<u8>>,
    /// Of a core module: whether it carries the types of a world.
    pub(super) has_world: bool,
    /// Of a core module: the modules that it imports from.
    pub(super) import_modules: Vec<String>,
    counts: Counts,
    /// 1 within the outermost module or component.
    depth: u32,
}

/// What adds up over a file.
#[derive(Debug, Default)]
struct Counts {
    functions: u64,
    types: u64,
    modules: u64,
    components: u64,
    instances: u64,
    core_instances: u64,
    memories: u64,
    tables: u64,
}

/// Names at the surface, far more than any component has.
const NAMES_MAX: usize = 1_000;

impl Survey {
    /// Looks at all of `file`.
    ///
    /// # Errors
    /// If it is damaged, or goes past a limit.
    pub(super) fn of(file: &[u8], limits: &AdmissionLimits) -> Result<Self, Refused> {
        let mut survey = Self::default();
        for payload in Parser::new(0).parse_all(file) {
            survey.payload(payload.map_err(damaged)?, limits)?;
            survey.counts.check(limits)?;
        }
        if survey.depth > 0 {
            return Err(Refused::new("it ends early", "check that it arrived whole"));
        }
        Ok(survey)
    }

    fn payload(&mut self, payload: Payload<'_>, limits: &AdmissionLimits) -> Result<(), Refused> {
        let counts = &mut self.counts;
        match payload {
            Payload::Version { encoding, .. } => {
                self.depth += 1;
                match encoding {
                    Encoding::Module => counts.modules += 1,
                    Encoding::Component => counts.components += 1,
                }
            }
            Payload::End(_) => self.depth -= 1,
            Payload::TypeSection(section) => counts.types += u64::from(section.count()),
            Payload::CoreTypeSection(section) => counts.types += u64::from(section.count()),
            Payload::ComponentTypeSection(section) => counts.types += u64::from(section.count()),
            Payload::FunctionSection(section) => counts.functions += u64::from(section.count()),
            Payload::InstanceSection(section) => {
                counts.core_instances += u64::from(section.count())
            }
            Payload::ComponentInstanceSection(section) => {
                counts.instances += u64::from(section.count());
            }
            Payload::MemorySection(section) => self.memories(section, limits)?,
            Payload::TableSection(section) => self.tables(section, limits)?,
            Payload::CodeSectionEntry(body) => check_body(body.range().len() as u64, limits)?,
            Payload::ImportSection(section) if self.depth == 1 => self.core_imports(section)?,
            Payload::CustomSection(section) if self.depth == 1 => {
                self.has_world |= section.name().starts_with("component-type");
                if section.name() == SECTION {
                    self.add_manifest(section.data())?;
                }
            }
            Payload::ComponentImportSection(section) if self.depth == 1 => {
                self.component_imports(section)?;
            }
            Payload::ComponentExportSection(section) if self.depth == 1 => {
                for export in section {
                    add_name(&mut self.exports, export.map_err(damaged)?.name.name)?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn add_manifest(&mut self, section: &[u8]) -> Result<(), Refused> {
        if self.manifest.replace(section.to_vec()).is_some() {
            return Err(Refused::new(
                format!("it has more than one section {SECTION}"),
                "build it again with `segno component build`",
            ));
        }
        Ok(())
    }

    fn component_imports(
        &mut self,
        section: wasmparser::ComponentImportSectionReader<'_>,
    ) -> Result<(), Refused> {
        for import in section {
            let import = import.map_err(damaged)?;
            if matches!(import.ty, ComponentTypeRef::Module(_) | ComponentTypeRef::Component(_)) {
                return Err(Refused::new(
                    format!("it imports code, `{}`", import.name.name),
                    "link everything into one component before you push it",
                ));
            }
            add_name(&mut self.imports, import.name.name)?;
        }
        Ok(())
    }

    fn core_imports(
        &mut self,
        section: wasmparser::ImportSectionReader<'_>,
    ) -> Result<(), Refused> {
        for import in section.into_imports() {
            let module = import.map_err(damaged)?.module;
            if !self.import_modules.iter().any(|known| known == module) {
                add_name(&mut self.import_modules, module)?;
            }
        }
        Ok(())
    }

    fn memories(
        &mut self,
        section: wasmparser::MemorySectionReader<'_>,
        limits: &AdmissionLimits,
    ) -> Result<(), Refused> {
        for memory in section {
            let memory = memory.map_err(damaged)?;
            self.counts.memories += 1;
            let page_shift = memory.page_size_log2.unwrap_or(16);
            let bytes = memory.initial.checked_shl(page_shift).unwrap_or(u64::MAX);
            if memory.initial > u64::MAX >> page_shift || bytes > limits.memory_bytes {
                return Err(Refused::new(
                    format!(
                        "one of its memories starts with {} pages, and {} is the most",
                        memory.initial,
                        Bytes(limits.memory_bytes)
                    ),
                    "let it start smaller and grow",
                ));
            }
        }
        Ok(())
    }

    fn tables(
        &mut self,
        section: wasmparser::TableSectionReader<'_>,
        limits: &AdmissionLimits,
    ) -> Result<(), Refused> {
        for table in section {
            let initial = table.map_err(damaged)?.ty.initial;
            self.counts.tables += 1;
            at_most("elements in a table", initial, limits.table_elements)?;
        }
        Ok(())
    }
}

impl Counts {
    fn check(&self, limits: &AdmissionLimits) -> Result<(), Refused> {
        let Self { functions, types, modules, components, instances, .. } = *self;
        let Self { core_instances, memories, tables, .. } = *self;
        at_most("functions", functions, limits.functions)?;
        at_most("types", types, limits.types)?;
        at_most("modules", modules, limits.modules)?;
        at_most("components", components, limits.components)?;
        at_most("instances", instances, limits.instances)?;
        at_most("instances of modules", core_instances, u64::from(CORE_INSTANCES_MAX))?;
        at_most("memories", memories, u64::from(MEMORIES_MAX))?;
        at_most("tables", tables, u64::from(TABLES_MAX))
    }
}

fn check_body(bytes: u64, limits: &AdmissionLimits) -> Result<(), Refused> {
    at_most("bytes in a function", bytes, limits.function_bytes)
}

fn at_most(what: &str, count: u64, most: u64) -> Result<(), Refused> {
    if count <= most {
        return Ok(());
    }
    Err(Refused::new(
        format!("it has {count} {what}, and {most} is the most"),
        "make it smaller: fewer dependencies, or several steps",
    ))
}

fn add_name(names: &mut Vec<String>, name: &str) -> Result<(), Refused> {
    at_most("names at its surface", names.len() as u64 + 1, NAMES_MAX as u64)?;
    names.push(name.to_owned());
    Ok(())
}

/// Wasmparser says where and what, without more words.
fn damaged(error: BinaryReaderError) -> Refused {
    Refused::new(
        format!("it is damaged at byte {}: {}", error.offset(), error.message()),
        "build it again, and check that it arrived whole",
    )
}
