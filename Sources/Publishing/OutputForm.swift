import Products
import Settings

/// How documents look and where they lie: what of the output a shop can choose.
package struct OutputForm: Hashable, Sendable {
    package enum Layout: Hashable, Sendable {
        /// One file for each product.
        case products
        /// One file for each product, in folders by so many hexadecimal digits of the SHA-256 of its id.
        case sharded(digits: Int)
        /// One file for all.
        case single

        /// As `index.json` has it.
        var name: String {
            switch self {
            case .products: "products"
            case .sharded: "sharded"
            case .single: "single"
            }
        }
    }

    package var layout = Layout.products
    /// Whether there is no white space that a parser does not need.
    package var isCompact = false
    /// What photos' addresses begin with; nil leaves addresses to the reader.
    package var imageBaseURL: String?
    /// What a document has beyond the paths of photos.
    package var fields: Set<Settings.Output.Field> = []
    /// Whether the web component lies beside the documents.
    package var hasComponent = false

    package init() {}

    private static let component = "component"

    /// What of ours lies in the output folder, in words.
    package var parts: Set<String> { Set(["\(layout)"] + (hasComponent ? [Self.component] : [])) }

    /// The layouts among such words.
    static func layouts(in parts: Set<String>) -> Set<Layout> { Set(parts.compactMap { Layout($0) }) }

    static func hasComponent(in parts: Set<String>) -> Bool { parts.contains(component) }
}

extension OutputForm.Layout: CustomStringConvertible {
    /// With all that tells where a file lies: `sharded-2`.
    package var description: String {
        if case .sharded(let digits) = self { "\(name)-\(digits)" } else { name }
    }

    /// Reads what `description` writes.
    package init?(_ text: String) {
        let parts = text.split(separator: "-", maxSplits: 1).map(String.init)
        self.init(name: parts.first ?? "", digits: parts.count > 1 ? Int(parts[1]) : nil)
    }

    init?(name: String, digits: Int?) {
        switch (name, digits) {
        case ("products", nil): self = .products
        case ("single", nil): self = .single
        case ("sharded", .some(let digits)) where (1...64).contains(digits): self = .sharded(digits: digits)
        default: return nil
        }
    }
}
