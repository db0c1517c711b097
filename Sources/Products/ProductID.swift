/// A product: the photos whose path, without its ending, is the same; or whatever a pattern groups.
package struct ProductID: Hashable, Comparable, Sendable, CustomStringConvertible {
    package let name: FileName

    package init(_ name: FileName) { self.name = name }
    package init(_ text: String) { self.name = FileName(text: text) }

    /// The default product of a photo: its path without the ending.
    package init(of path: ImagePath) { self.name = path.withoutExtension }

    package var text: String { name.text }
    package var description: String { name.text }

    package static func < (left: ProductID, right: ProductID) -> Bool { left.name < right.name }
}
