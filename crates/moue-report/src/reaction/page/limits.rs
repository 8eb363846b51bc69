//! What the page does not say.

use maud::{Markup, html};

use super::words;
use crate::reaction::report::Report;

/// The section.
pub fn section(report: &Report) -> Markup {
    html! {
        section id="limits" class="limits" {
            h2 { "What this cannot know" }
            p class="strong" {
                "This page shows which expression a model reads in faces. It does not show what people felt, thought or will do."
            }
            ul {
                li { "People smile when embarrassed and scowl when concentrating; cultures, ages and single persons differ. A wide review of \
                      the research found no reliable way from facial movements to emotions (Barrett, Adolphs, Marsella, Martinez and Pollak: \
                      “Emotional Expressions Reconsidered”, 2019)." }
                li { "The percentages are probabilities of a model that is often wrong, and wrong about some faces more than about others. “Happy 40 %” does \
                      not mean that someone was 40 % happy. Compare them with themselves, over time and between groups; do not take them as amounts." }
                li { "The intervals say how much people differ. They do not contain the mistakes of the model, and few people give \
                      wide intervals for good reason." }
                li { "A face in view is not attention: eyes may be closed or elsewhere. A face that turned away or that the detector missed counts \
                      as not in view, and a person whose track broke counts as two." }
                li { "That something changed after an event does not show that it changed because of it." }
                li { "Use it for trends over many people who agreed to it, never to judge one person. In the European Union, inferring emotions of people at \
                      work or in education is prohibited (Regulation (EU) 2024/1689, article 5(1)(f))." }
            }
            details class="data" {
                summary { "How the figures are made" }
                ul {
                    li { "A frame counts for the time until the next one, at most 1 s. The value of a person in a bin of "
                        (words::span(report.width.seconds())) " is the mean over that time." }
                    li { "The value of the audience is the plain mean over the people in view: nobody counts twice for being seen in more frames." }
                    li { "Intervals: mean ± t · s / √n over the n people, t the 97.5 % quantile of Student’s distribution with n − 1 degrees \
                          of freedom; none for one person." }
                    li { "People who were in view for less than " (words::span(report.settings.min_view)) " in all, or half of a shorter clip, are left out." }
                    @if let Some(formula) = report.measures.formula() {
                        li { "Valence = " (formula) ". Other labels count as neither." }
                    }
                }
            }
        }
    }
}
