import Products
import Settings

/// Tells which product a photo is of.
///
/// `@unchecked Sendable`: what a `Regex` says does not change. Its first match compiles the program that it keeps, and publishes
/// it with an atomic compare-and-swap (`Regex.Program.loweredProgram` in swift-experimental-string-processing).
package struct ProductGrouping: @unchecked Sendable {
    private let pattern: Regex<AnyRegexOutput>?

    package init(_ pattern: ProductPattern) { self.pattern = pattern.regex }

    /// A path that the pattern does not match, or whose first group is empty, is its own product.
    package func product(of path: ImagePath) -> ProductID {
        guard let pattern, let match = path.text.firstMatch(of: pattern),
            match.output.count > 1, let captured = match.output[1].substring, !captured.isEmpty
        else { return ProductID(of: path) }
        return ProductID(String(captured))
    }
}
