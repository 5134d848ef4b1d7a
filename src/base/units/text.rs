use serde::{Deserialize, Serialize};

/// The two languages that reports are written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Lang {
    #[default]
    En,
    Zh,
}

/// A text for people, in one or both languages.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Text {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub en: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zh: Option<String>,
}

impl Text {
    /// The text in `lang`. English stands in for Chinese that is missing, never the other way round.
    pub fn get(&self, lang: Lang) -> Option<&str> {
        let text = match lang {
            Lang::En => self.en.as_ref(),
            Lang::Zh => self.zh.as_ref().or(self.en.as_ref()),
        };
        text.map(String::as_str)
    }

    pub fn is_empty(&self) -> bool {
        self.en.is_none() && self.zh.is_none()
    }
}
