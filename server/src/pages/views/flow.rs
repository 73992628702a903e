//! One step of signing in, signing up or enrolling.

use serde::Serialize;

use super::{Field, Frame, Link, Notice, Post, Shown, StepForm, TenantLabel};
use crate::pages::Page;

/// One step of a flow: `flow.html`.
#[derive(Debug, Clone, Serialize)]
pub struct FlowView {
    /// Surroundings.
    pub frame: Frame,
    /// Heading.
    pub title: String,
    /// A sentence below it.
    pub intro: Option<String>,
    /// The tenant, when known.
    pub tenant: Option<TenantLabel>,
    /// Where another tenant can be chosen, when the tenant is not fixed by path or host.
    pub change_tenant: Option<String>,
    /// Why the last try was refused; neutral words.
    pub error: Option<String>,
    /// A word from us.
    pub notice: Option<Notice>,
    /// The ways to go on. The first one with a form is shown open, the others folded or as buttons.
    pub methods: Vec<Method>,
    /// What can be done instead of all of them, such as putting them off.
    pub instead: Vec<Instead>,
    /// Ways out: create an account, forgot password, use another way.
    pub links: Vec<Link>,
}

impl FlowView {
    /// A step called `title` without anything to do yet.
    pub fn new(title: impl Into<String>) -> Self {
        Self {
            frame: Frame::default(),
            title: title.into(),
            intro: None,
            tenant: None,
            change_tenant: None,
            error: None,
            notice: None,
            methods: Vec::new(),
            instead: Vec::new(),
            links: Vec::new(),
        }
    }
}

impl Page for FlowView {
    const TEMPLATE: &'static str = "flow.html";
}

/// Something that can be done instead of going one of the ways.
#[derive(Debug, Clone, Serialize)]
pub struct Instead {
    /// Target, with everything as hidden inputs.
    pub post: Post,
    /// What it is called: "Not now".
    pub label: String,
}

/// One way to go on.
#[derive(Debug, Clone, Serialize)]
pub struct Method {
    /// The provider's id.
    pub id: String,
    /// What it is called: "Password", "Continue with Google".
    pub label: String,
    /// Whether it leads to a third party: its button is a neutral one then, as the rules
    /// of those services ask for.
    pub third_party: bool,
    /// The picture on its button; empty: none.
    pub mark: Vec<MarkShape>,
    /// Target, with flow, step and provider as hidden inputs.
    pub post: Post,
    /// Asked first when the tenant is not known: an input called `tenant`.
    pub tenant_field: Option<Field>,
    /// Offers to remember the names in this form (a checkbox `remember_name`); the value is whether it is ticked.
    pub remember_name: Option<bool>,
    /// Offers to stay signed in on this device (a checkbox `stay`); the value is whether it is ticked.
    pub stay: Option<bool>,
    /// What it wants.
    #[serde(flatten)]
    pub kind: MethodKind,
}

/// A filled shape of a picture of 24 by 24 units.
#[derive(Debug, Clone, Serialize)]
pub struct MarkShape {
    /// SVG path data.
    pub path: String,
    /// Its colour, `#rrggbb`; `None`: that of the text.
    pub fill: Option<String>,
}

/// What a way to go on wants from the person.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum MethodKind {
    /// A form to fill in.
    Form {
        /// The form.
        form: StepForm,
    },
    /// A button that starts something that leads to a third party.
    Redirect,
    /// A link to a third party: it leaves this server.
    Link {
        /// Where to.
        href: String,
    },
    /// Something happens elsewhere; a button asks whether it did.
    Wait {
        /// What to do meanwhile.
        message: String,
    },
}

/// Something a form shows for reading or copying.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum DisplayItem {
    /// Plain text.
    Text {
        /// What it is.
        label: String,
        /// The text.
        value: String,
    },
    /// A secret to type or copy elsewhere.
    Secret {
        /// What it is.
        label: String,
        /// The secret.
        value: Shown,
    },
    /// A picture for a phone's camera.
    Qr {
        /// What it is; also the picture's text alternative.
        label: String,
        /// The picture.
        code: QrCode,
    },
    /// Codes to keep.
    CodeList {
        /// What they are.
        label: String,
        /// The codes.
        codes: Vec<Shown>,
    },
}

/// A QR code as a path of an SVG, made from its modules so that no foreign markup gets into a page.
#[derive(Clone, Serialize)]
pub struct QrCode {
    /// Edge length of the picture in modules, quiet zone included.
    pub size: usize,
    path: String,
}

impl QrCode {
    /// The quiet zone that ISO/IEC 18004 asks for, in modules.
    const QUIET: usize = 4;

    /// The code of a text, with a level of correction that a dirty screen does not
    /// defeat; `None` when it is too long for one.
    #[must_use]
    pub fn of(text: &str) -> Option<Self> {
        let code = qrcodegen::QrCode::encode_text(text, qrcodegen::QrCodeEcc::Medium).ok()?;
        let edge = code.size();
        let modules: Vec<bool> = (0..edge)
            .flat_map(|row| (0..edge).map(move |column| (column, row)))
            .map(|(column, row)| code.get_module(column, row))
            .collect();
        let width = usize::try_from(edge).ok()?;
        Some(Self::from_modules(width, &modules))
    }

    /// A code of `width` × `width` modules, row by row, dark = true.
    #[must_use]
    pub fn from_modules(width: usize, modules: &[bool]) -> Self {
        let mut path = String::new();
        for (row, cells) in modules.chunks(width.max(1)).take(width).enumerate() {
            for (column, _) in cells.iter().enumerate().filter(|(_, dark)| **dark) {
                path.push_str(&format!(
                    "M{} {}h1v1h-1z",
                    column + Self::QUIET,
                    row + Self::QUIET
                ));
            }
        }
        Self {
            size: width + 2 * Self::QUIET,
            path,
        }
    }
}

impl std::fmt::Debug for QrCode {
    /// The modules usually encode a secret.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("QrCode")
            .field("size", &self.size)
            .finish_non_exhaustive()
    }
}
