import Catalogue
import Embedder
import Embedding
import Foundation
import Imaging
import Neighbours
import Products
import Reconciling
import Settings

/// Answers "what is similar to this?" for a product, or for any image file.
package struct SimilarSearch {
    package struct Answer: Codable, Hashable, Sendable {
        package struct Match: Codable, Hashable, Sendable {
            package let product: String
            package let image: String
            package let score: Double

            init(_ neighbour: Neighbour, image: ImagePath?) {
                product = neighbour.product.text
                self.image = image?.text ?? ""
                score = (Double(neighbour.score) * 1e6).rounded() / 1e6
            }
        }

        /// The product's id, or the path of the file.
        package let query: String
        /// Whether the query is a product of the catalogue.
        package let isProduct: Bool
        package let model: String
        /// The most similar first.
        package let similar: [Match]
    }

    private let settings: Settings
    private let executable: String
    private let catalogue: Catalogue
    private let model: ModelNumber
    private let record: ModelRecord

    package init(settings: Settings, executable: String) throws {
        self.settings = settings
        self.executable = executable
        (catalogue, model, record) = try Catalogue.ranked(in: settings.state.folder)
    }

    /// A product's list as it is published; what looks most like a file, whatever lists have.
    ///
    /// - Parameters:
    ///   - name: a product's id, a photo's path in the image folder, or the path of any image file.
    ///   - count: how many to name; nil for as many as are published.
    package func nearest(to name: String, count: Int?) throws -> Answer {
        let count = count ?? settings.recommendations.count
        func answer(_ query: String, isProduct: Bool, _ similar: [Answer.Match]) -> Answer {
            Answer(query: query, isProduct: isProduct, model: record.name, similar: similar)
        }
        if let product = try product(named: name) {
            let list = try list(of: product, count: count)
            return answer(
                product.text, isProduct: true,
                list.map { .init($0.neighbour, image: $0.photos[0].path) })
        }
        let neighbours = try nearest(to: try embedding(ofFile: name), count: count)
        let firstImages = try catalogue.firstImages()
        return answer(
            name, isProduct: false,
            neighbours.map { .init($0, image: firstImages[$0.product]) })
    }

    /// The product of this id, or of the photo with this path: in the image folder, or a file of it.
    private func product(named name: String) throws -> ProductID? {
        if try catalogue.neighbours(of: ProductID(name)) != nil { return ProductID(name) }
        var path = name
        let file = URL(fileURLWithPath: name).resolvingSymlinksInPath().path
        let folder = URL(fileURLWithPath: settings.images.folder).resolvingSymlinksInPath().path + "/"
        if file.hasPrefix(folder) { path = String(file.dropFirst(folder.count)) }
        guard let imagePath = ImagePath(path) else { return nil }
        return try catalogue.images().first { $0.path == imagePath && $0.digest != nil }?.product
    }

    /// The product's list as its document has it, but as long as is asked for.
    private func list(of product: ProductID, count: Int) throws -> [Candidate] {
        var settings = settings
        settings.recommendations.count = count
        let form = DocumentForm(settings)
        guard var ranked = try ranked([product]).first else { return [] }
        if form.candidateDepth > (try catalogue.rankingState().depth) {
            ranked = try withCandidates(ranked, depth: form.candidateDepth)
        }
        return form.document(of: ranked).recommendations
    }

    private func ranked(_ products: [ProductID]) throws -> [RankedProduct] {
        var ranked: [RankedProduct] = []
        try catalogue.forEach(of: products) { if let one = $1 { ranked.append(one) } }
        return ranked
    }

    /// The product with more candidates than the catalogue has ranked.
    private func withCandidates(_ product: RankedProduct, depth: Int) throws -> RankedProduct {
        guard let own = try catalogue.vectors(of: [product.product], model: model).first else {
            return product
        }
        let neighbours = try nearest(
            to: own.embedding, besides: product.product, among: Set(try catalogue.rankedProducts()),
            count: depth)
        let found = Dictionary(
            uniqueKeysWithValues: try ranked(neighbours.map(\.product)).map { ($0.product, $0) })
        return RankedProduct(
            product: product.product, photos: product.photos, attributes: product.attributes,
            similar: neighbours.compactMap { neighbour in
                found[neighbour.product].map {
                    .init(neighbour: neighbour, photos: $0.photos, attributes: $0.attributes)
                }
            })
    }

    /// - Parameter among: the products that count; nil for all.
    private func nearest(
        to vector: Products.Embedding, besides product: ProductID? = nil, among: Set<ProductID>? = nil,
        count: Int
    ) throws -> [Neighbour] {
        var search = FlatSearch([(vector, product)], count: count)
        try catalogue.forEachVectors(of: model, inGroupsOf: 256) { group in
            search.offer(
                among.map { among in group.filter { among.contains($0.product) } } ?? group, threads: 1)
        }
        return search.results[0]
    }

    private func embedding(ofFile name: String) throws -> Products.Embedding {
        let url = URL(fileURLWithPath: name).resolvingSymlinksInPath()
        guard FileManager.default.fileExists(atPath: url.path), let path = ImagePath(url.lastPathComponent)
        else {
            throw InsightError.unknownProduct(name)
        }
        var settings = settings
        settings.images.folder = url.deletingLastPathComponent().path
        settings.images.followsLinks = false
        settings.performance.threads = 1
        // For one photo nothing is worth keeping, and what the agent keeps is for its threads.
        settings.cache.folder = .nowhere
        let library = ModelLibrary(settings: settings, executable: executable)
        let pipeline = ModelAtWork(
            try ModelSource(record, library: library), settings: settings, executable: executable
        ).pipeline(settings)
        switch try pipeline.outcome(of: path) {
        case .embedded(_, _, let embedding, _): return embedding
        case .refused(_, _, let reason), .lost(_, _, let reason), .unreadable(let reason, _):
            throw InsightError.unreadablePhoto(path: name, reason: reason)
        case .vanished, .known: throw InsightError.unknownProduct(name)
        }
    }
}

extension Catalogue {
    /// The catalogue that there is, and the model that its neighbour rows are of.
    static func ranked(in stateFolder: String) throws -> (
        catalogue: Catalogue, model: ModelNumber, record: ModelRecord
    ) {
        guard let catalogue = try Catalogue.forReading(stateFolder: stateFolder),
            let (model, record) = try catalogue.modelInService()
        else { throw InsightError.nothingYet(stateFolder: stateFolder) }
        return (catalogue, model, record)
    }
}
