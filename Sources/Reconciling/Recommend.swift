import Catalogue
import Products
import Publishing

/// Makes the lists again that may be others, and notes the files that are due: those whose bytes would differ.
struct RecommendStep {
    let workplace: Workplace
    let session: Session
    let publisher: Publisher
    let options: Round.Options

    /// Products whose lists are made between two looks at whether to stop.
    private static let productsAtOnce = 1024

    /// - Parameter looksAtAll: whether all files are going to be looked at, due or not.
    func run(looksAtAll: Bool) throws {
        let catalogue = session.catalogue
        guard !looksAtAll else { return try catalogue.noteAllRecommended() }
        let products = try catalogue.unrecommendedProducts()
        for first in stride(from: 0, to: products.count, by: Self.productsAtOnce) {
            try options.throwIfStopping()
            let part = Array(products[first..<min(first + Self.productsAtOnce, products.count)])
            try catalogue.noteRecommended(part, due: try due(part))
            workplace.progress(.recommending(done: first + part.count, of: products.count))
        }
    }

    private func due(_ products: [ProductID]) throws -> [ProductID] {
        let published = try session.catalogue.publishedDigests(of: products)
        var due: [ProductID] = []
        try session.catalogue.forEach(of: products) { product, ranked in
            if let ranked {
                let digest = publisher.digest(of: workplace.form.document(of: ranked))
                // One that was published and is not known is looked at.
                if published[product] ?? nil != digest { due.append(product) }
            } else if published[product] != nil {
                due.append(product)
            }
        }
        return due
    }
}
