//! The report as one HTML page. Everything that comes from files passes through `maud`, which escapes it.

mod changes;
mod comparison;
mod downloads;
mod hues;
mod limits;
mod moments;
mod people;
mod plot;
mod strips;
mod summary;
mod timeline;
mod words;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use sha2::{Digest, Sha256};

use super::tables::Table;
use super::{Illustrations, Report};

const STYLE: &str = include_str!("page/style.css");
const SCRIPT: &str = include_str!("page/script.js");

/// The whole page.
pub(super) fn render(report: &Report, illustrations: &Illustrations, tables: &[Table]) -> String {
    // The browser itself refuses every connection, and every script but ours.
    let script_hash = BASE64.encode(Sha256::digest(SCRIPT.as_bytes()));
    let policy = format!(
        "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{script_hash}'; \
         base-uri 'none'; form-action 'none'"
    );
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(policy);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (report.settings.title) " · moue" }
                style { (PreEscaped(STYLE)) (PreEscaped(hues::style())) }
            }
            body {
                (plot::patterns())
                a class="skip" href="#timeline" { "To the timeline" }
                header { (summary::header(report)) (contents(report)) }
                main {
                    @if report.comparison.is_some() { (comparison::section(report)) }
                    @for (i, group) in report.groups.iter().enumerate() {
                        (timeline::section(report, group, i))
                        (moments::section(report, group, i, illustrations))
                        @if !report.events.is_empty() { (changes::section(report, group, i)) }
                        (people::section(report, group, i))
                    }
                    (downloads::section(tables))
                    (limits::section(report))
                }
                footer {
                    p { "Made by moue " (env!("CARGO_PKG_VERSION")) ". This page is complete in itself: it loads nothing and \
                        sends nothing."
                        @if !illustrations.is_empty() { " It holds pictures of people: pass it on as you would pass on photos of them." }
                    }
                }
                script { (PreEscaped(SCRIPT)) }
            }
        }
    };
    // Names of files and events come from strangers: what would change how text is shown is written out.
    moue_files::text::shown_lines(&page.into_string())
}

fn contents(report: &Report) -> Markup {
    html! {
        nav aria-label="Contents" {
            @if report.comparison.is_some() {
                a href="#comparison" { "Comparison" }
                @for (i, group) in report.groups.iter().enumerate() {
                    a href={ "#" (anchor("timeline", i)) } { (words::shortened(&group.name, 28)) }
                }
            } @else {
                a href="#timeline" { "Timeline" }
                a href="#moments" { "Peaks" }
                @if !report.events.is_empty() { a href="#events" { "Events" } }
                a href="#people" { "People" }
            }
            a href="#tables" { "Tables" }
            a href="#limits" { "What this cannot know" }
        }
    }
}

/// The address of a section of a group within the page.
fn anchor(section: &str, group: usize) -> String {
    if group == 0 { section.to_owned() } else { format!("{section}-{}", group + 1) }
}

/// A file inside the page.
fn data_uri(media_type: &str, bytes: &[u8]) -> String {
    format!("data:{media_type};base64,{}", BASE64.encode(bytes))
}
