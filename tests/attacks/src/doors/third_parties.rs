use gatelodge_core::{
    model::{ApplicationName, Audience, ReturnAddress, WebOrigin},
    service::ApplicationRef,
};
use gatelodge_verifier::{KeySet, bearer};
use url::Url;

/// A key whose private part nobody uses.
const KEYS: &str = r#"{"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","kid":"k","use":"sig","alg":"EdDSA"}]}"#;

/// Access tokens as an application gets them, and keys as it fetches them.
pub fn access_tokens(bytes: &[u8]) {
    let _ = KeySet::parse(bytes).map(|keys| keys.verify("a.b.c", "i", "a", 0).is_ok());
    let Ok(text) = str::from_utf8(bytes) else {
        return;
    };
    let keys = KeySet::parse(KEYS.as_bytes()).expect("these are keys");
    for token in [Some(text), bearer(text)].into_iter().flatten() {
        let verified = keys.verify(token, "https://id.example.org", "shop", 1_790_000_000);
        assert!(verified.is_err(), "nobody signed this: {token:?}");
    }
}

/// What an administrator registers of an application.
pub fn applications(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    if let Ok(name) = ApplicationName::new(&text) {
        assert_eq!(
            ApplicationName::new(name.as_str()).ok().as_ref(),
            Some(&name)
        );
    }
    if let Ok(audience) = Audience::new(&text) {
        assert_eq!(audience.as_str(), text, "kept as it is");
        let named = ApplicationRef::parse(&text);
        assert_eq!(named, Some(ApplicationRef::Audience(audience)), "no id");
    }
    if let Ok(origin) = WebOrigin::new(&text) {
        let url = Url::parse(&text).expect("an origin is an address");
        assert_eq!(url.origin().ascii_serialization(), origin.as_str());
        assert_eq!(origin.as_str(), text, "kept as it is");
    }
    if let Ok(address) = ReturnAddress::new(&text) {
        assert!(address.admits(&text), "itself");
        let is_plain = text.is_ascii() && !text.contains(['#', ' ', '\n']);
        assert!(is_plain, "{text:?}");
        for other in [
            format!("{text}x"),
            format!("{text}#x"),
            format!(" {text}"),
            text.replacen("://", "://evil.example/", 1),
            text.replacen("://", "://x@", 1),
        ] {
            assert!(!address.admits(&other), "{other:?} in place of {text:?}");
        }
    }
}
