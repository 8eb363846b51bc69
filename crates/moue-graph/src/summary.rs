//! A network as a table for people, in the form of Keras 3's `model.summary()`.

use std::fmt::Write;

use crate::graph::{Graph, Layer};

/// Titles of the columns.
const TITLES: [&str; 4] = ["Layer (type)", "Output Shape", "Param #", "Connected to"];
/// The column set flush right.
const NUMBERS: usize = 2;

impl Graph {
    /// The table that Keras prints for this network: a row a layer with its class, output shape
    /// (the batch axis is `None`), parameters and inputs, then the sums and their size as f32.
    ///
    /// Columns are as wide as their content, so that every layer takes one line. Moving statistics
    /// and frozen layers count as non-trainable.
    pub fn summary(&self) -> String {
        let mut counts = vec![0; self.layers().len()];
        for parameter in self.parameters() {
            counts[parameter.layer] += parameter.shape.iter().product::<usize>();
        }
        let rows: Vec<[String; 4]> =
            self.layers().iter().zip(&counts).map(|(layer, &count)| self.row(layer, count)).collect();
        let widths: [usize; 4] = std::array::from_fn(|column| {
            let cells = rows.iter().map(|row| row[column].chars().count());
            cells.max().unwrap_or(0).max(TITLES[column].len())
        });

        let mut text = format!("Model: \"{}\"\n", self.name());
        text.push_str(&rule(&widths, ["┏", "━", "┳", "┓"]));
        text.push_str(&line(&widths, &TITLES.map(str::to_owned), "┃"));
        text.push_str(&rule(&widths, ["┡", "━", "╇", "┩"]));
        for (i, row) in rows.iter().enumerate() {
            if i > 0 {
                text.push_str(&rule(&widths, ["├", "─", "┼", "┤"]));
            }
            text.push_str(&line(&widths, row, "│"));
        }
        text.push_str(&rule(&widths, ["└", "─", "┴", "┘"]));
        let (all, trainable) = self.parameter_count();
        for (title, count) in
            [("Total", all), ("Trainable", trainable), ("Non-trainable", all.saturating_sub(trainable))]
        {
            // Writing to a string cannot fail.
            let _ = writeln!(text, " {title} params: {} ({})", grouped(count), size(count));
        }
        text
    }

    fn row(&self, layer: &Layer, count: usize) -> [String; 4] {
        let shape: String = layer.shape.iter().map(|side| format!(", {side}")).collect();
        let inputs: Vec<String> =
            layer.inputs.iter().map(|&input| format!("{}[0][0]", self.layers()[input].name)).collect();
        [
            format!("{} ({})", layer.name, layer.op.class_name()),
            format!("(None{shape})"),
            grouped(count),
            if inputs.is_empty() { "-".to_owned() } else { inputs.join(", ") },
        ]
    }
}

fn rule(widths: &[usize], [left, fill, between, right]: [&str; 4]) -> String {
    let cells: Vec<String> = widths.iter().map(|width| fill.repeat(width + 2)).collect();
    format!("{left}{}{right}\n", cells.join(between))
}

fn line(widths: &[usize], cells: &[String], bar: &str) -> String {
    let cells: Vec<String> = widths
        .iter()
        .zip(cells)
        .enumerate()
        .map(|(column, (&width, cell))| match column {
            NUMBERS => format!(" {cell:>width$} "),
            _ => format!(" {cell:<width$} "),
        })
        .collect();
    format!("{bar}{}{bar}\n", cells.join(bar))
}

/// `1234567` as `1,234,567`.
fn grouped(n: usize) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Memory of `count` f32 values, in units of 1024 as Keras writes them.
fn size(count: usize) -> String {
    let mut value = 4.0 * count as f64;
    for unit in ["B", "KB", "MB", "GB"] {
        if value < 1024.0 {
            return format!("{value:.2} {unit}");
        }
        value /= 1024.0;
    }
    format!("{value:.2} TB")
}
