import Catalogue
import Products

extension Catalogue {
    /// Tells whether a content has a vector of a model. A look-up that fails says no: the photo is embedded, and storing it
    /// meets the error.
    func embeddedCheck(of model: ModelNumber) -> @Sendable (ContentDigest) -> Bool {
        { digest in ((try? self.embeddedContents(among: [digest], of: model)) ?? []).contains(digest) }
    }
}
