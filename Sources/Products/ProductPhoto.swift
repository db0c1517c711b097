/// A photo of a product, and what it holds.
package struct ProductPhoto: Hashable, Sendable {
    package let path: ImagePath
    /// Of the file's bytes.
    package let digest: ContentDigest

    package init(path: ImagePath, digest: ContentDigest) {
        self.path = path
        self.digest = digest
    }
}
