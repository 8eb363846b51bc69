//! The tables behind the page.

use maud::{Markup, html};

use super::data_uri;
use crate::reaction::tables::Table;

/// Larger tables are not put into the page; they stand beside it.
const MOST: usize = 1 << 20;

/// The section.
pub fn section(tables: &[Table]) -> Markup {
    html! {
        section id="tables" {
            h2 { "Tables" }
            p class="how" { "For a spreadsheet or a script of your own. The same files stand beside this page." }
            ul class="downloads" {
                @for table in tables {
                    @let rows = table.text.lines().count().saturating_sub(1);
                    li {
                        @if table.text.len() <= MOST {
                            a href=(data_uri("text/csv;charset=utf-8", table.text.as_bytes())) download=(table.file) { (table.file) }
                        } @else {
                            a href=(table.file) { (table.file) }
                        }
                        span { (table.about) " · " (rows) " rows"
                            @if table.text.len() > MOST { " · beside this page, too large to be in it" } }
                    }
                }
            }
        }
    }
}
