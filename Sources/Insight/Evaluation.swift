import Catalogue
import Embedder
import Embedding
import Foundation
import Imaging
import Neighbours
import Products
import Reconciling
import Settings
import Watching

/// Tells how good models are on the user's own photos. Changes nothing; vectors that the catalogue has are not computed
/// again.
package struct Evaluation {
    package struct Report: Codable, Hashable, Sendable {
        package struct Model: Codable, Hashable, Sendable {
            package let model: String
            package let dimension: Int
            package let precisionAtK: Double
            package let meanAveragePrecision: Double
            /// Without reading photos.
            package let photosPerSecond: Double
            /// Photos that were embedded for it; the catalogue had vectors of the others.
            package let embedded: Int
            /// Photos that could not be.
            package let failed: Int
            package let seconds: Double
        }

        /// What labels were taken from: `folders`, `products`, or a file's name.
        package let labelledBy: String
        /// `product` or `photo`: what was looked for.
        package let unit: String
        /// How many things there are, and how many of them were looked for.
        package let things: Int
        package let queries: Int
        package let labels: Int
        /// Things that have no label, or are the only ones of theirs.
        package let unlabelled: Int
        package let alone: Int
        package let k: Int
        /// The best first.
        package let models: [Model]
    }

    package struct Options: Sendable {
        package var labels = EvaluationLabels.folders
        /// Models, each of which may be several as one; none for that of the settings.
        package var models: [[ModelChoice]] = []
        package var k = 5
        /// Look for so many, evenly chosen in the order of their names; nil for all.
        package var sample: Int?

        package init() {}
    }

    private let settings: Settings
    private let executable: String
    private let options: Options
    private let sources: [ModelSource]
    private let progress: @Sendable (ReconcileProgress) -> Void

    package init(
        settings: Settings, executable: String, options: Options,
        progress: @escaping @Sendable (ReconcileProgress) -> Void
    ) throws {
        (self.settings, self.executable, self.options) = (settings, executable, options)
        self.progress = progress
        let choices = options.models.isEmpty ? [settings.models] : options.models
        sources = try choices.map { try ModelSource($0, settings: settings, executable: executable) }
    }

    /// `a`, `a+b`, or with weights `a*2+b`.
    package static func choices(_ text: String) throws -> [ModelChoice] {
        var choices: [ModelChoice] = []
        for part in text.split(separator: "+", omittingEmptySubsequences: false) {
            let halves = part.split(separator: "*", omittingEmptySubsequences: false)
            let weight = halves.count == 2 ? Double(halves[1]) : 1
            guard halves.count <= 2, !halves[0].isEmpty, let weight,
                ModelChoice.weights.contains(weight)
            else {
                throw InsightError.badModel(
                    reason: "\"\(text)\" names no model",
                    remedy: "Write one name, or several: a+b, or a*2+b.")
            }
            choices.append(ModelChoice(name: String(halves[0]), weight: weight))
        }
        return choices
    }

    // MARK: Before

    /// A photo, and its vector's content where the catalogue knows it.
    private struct Photo {
        let path: ImagePath
        let digest: ContentDigest?
    }

    private func photos(_ catalogue: Catalogue?) throws -> [Photo] {
        let scan = try FolderScan(of: settings.images.folder, filter: PhotoFilter(settings: settings))
        let known = Dictionary(uniqueKeysWithValues: try catalogue?.images().map { ($0.path, $0) } ?? [])
        return scan.photos.map { photo in
            let record = known[photo.path]
            return Photo(path: photo.path, digest: record?.stamp == photo.stamp ? record?.digest : nil)
        }.sorted { $0.path < $1.path }
    }

    /// How long it will take, in seconds, and what there is to do.
    package struct Estimate: Sendable {
        package let seconds: Double
        package let photos: Int
        /// Photos to embed, over all models.
        package let embeddings: Int
    }

    /// A look at what there is to do; takes some seconds where a model's speed is not known yet.
    package func estimate() throws -> Estimate {
        let catalogue = try Catalogue.forReading(stateFolder: settings.state.folder)
        let photos = try photos(catalogue)
        var speeds = KnownSpeeds(cacheFolder: settings.cacheFolder)
        var seconds = 0.0
        var embeddings = 0
        for source in sources {
            let embedded = try stored(of: source, catalogue)
            let missing = photos.count { $0.digest.map { !embedded.contains($0) } ?? true }
            embeddings += missing
            seconds += Double(missing) / (try speeds.speed(of: source, settings) * Self.shareOfSpeed)
            let queries = Double(min(options.sample ?? photos.count, photos.count))
            let products = queries * Double(photos.count * source.dimension)
            seconds += products / (Self.productsPerSecond * Double(settings.effectiveThreads))
        }
        return Estimate(seconds: seconds, photos: photos.count, embeddings: embeddings)
    }

    /// Of a model's speed what is left when photos are read as well.
    private static let shareOfSpeed = 0.7
    /// Multiplications of two values in a second when all pairs are compared, on one core of a common CPU: for estimates.
    private static let productsPerSecond = 1e9

    private func stored(of source: ModelSource, _ catalogue: Catalogue?) throws -> Set<ContentDigest> {
        guard let catalogue, let number = try catalogue.existingNumber(of: source.record) else { return [] }
        return try catalogue.embeddedContents(of: number)
    }

    // MARK: Running

    package func run() throws -> Report {
        let catalogue = try Catalogue.forReading(stateFolder: settings.state.folder)
        let photos = try photos(catalogue)
        guard !photos.isEmpty else { throw InsightError.nothingToEvaluate(reason: "there are no photos") }
        let table: [String: String] =
            if case .table(let file) = options.labels { try EvaluationLabels.read(file) } else { [:] }
        var speeds = KnownSpeeds(cacheFolder: settings.cacheFolder)
        var models: [Report.Model] = []
        var things: Things?
        for source in sources {
            let start = ContinuousClock.now
            let (vectors, embedded) = try vectors(of: photos, source, catalogue)
            let found = try Things(vectors, options.labels, table, settings)
            let queries = found.queries(sample: options.sample)
            guard !queries.isEmpty else {
                guard table.isEmpty || !found.vectors.isEmpty else {
                    throw InsightError.nothingToEvaluate(
                        reason:
                            "none of the \(table.count) products or photos in \(options.labels.description) is in \(settings.images.folder)"
                    )
                }
                throw InsightError.nothingToEvaluate(
                    reason: "no two \(found.unit)s have the same label (by \(options.labels.description))"
                )
            }
            let progress = progress
            let quality = try RetrievalQuality(
                of: found.vectors, labels: found.labels, queries: queries, k: options.k,
                threads: settings.effectiveThreads
            ) { progress(.comparing(done: $0, of: queries.count)) }
            models.append(
                Report.Model(
                    model: source.name, dimension: source.dimension, precisionAtK: quality.precisionAtK,
                    meanAveragePrecision: quality.meanAveragePrecision,
                    photosPerSecond: (try speeds.speed(of: source, settings) * 10).rounded() / 10,
                    embedded: embedded, failed: photos.count - vectors.count,
                    seconds: (ContinuousClock.now - start).seconds))
            things = found
        }
        guard let things else { preconditionFailure("an evaluation of no model") }
        return Report(
            labelledBy: options.labels.description, unit: things.unit, things: things.vectors.count,
            queries: things.queries(sample: options.sample).count, labels: Set(things.labels).count,
            unlabelled: things.unlabelled,
            alone: things.vectors.count - things.queries(sample: nil).count,
            k: options.k, models: models.sorted { $0.meanAveragePrecision > $1.meanAveragePrecision })
    }

    /// The photos' vectors, in the order of the photos, and how many had to be computed.
    private func vectors(
        of photos: [Photo], _ source: ModelSource, _ catalogue: Catalogue?
    ) throws -> ([(path: ImagePath, vector: Products.Embedding)], embedded: Int) {
        var stored: [ContentDigest: Products.Embedding] = [:]
        if let catalogue, let number = try catalogue.existingNumber(of: source.record) {
            stored = try catalogue.embeddings(of: number)
        }
        var found: [ImagePath: Products.Embedding] = [:]
        for photo in photos {
            if let digest = photo.digest, let vector = stored[digest] { found[photo.path] = vector }
        }
        let missing = photos.map(\.path).filter { found[$0] == nil }
        let work = ModelAtWork(source, settings: settings, executable: executable)
        var done = 0
        var digests: [ContentDigest: Products.Embedding] = [:]
        var waiting: [(ImagePath, ContentDigest)] = []
        func take(_ outcomes: [(index: Int, outcome: EmbeddingPipeline.Outcome)]) {
            for (index, outcome) in outcomes {
                switch outcome {
                case .embedded(_, let digest, let vector, _):
                    found[missing[index]] = vector
                    digests[digest] = vector
                case .known(_, let digest): waiting.append((missing[index], digest))
                default: break
                }
            }
            done += outcomes.count
            progress(.embedding(done: done, of: missing.count))
        }
        let isEmbedded: @Sendable (ContentDigest) -> Bool = { _ in false }
        _ = try work.pipeline(settings).run(missing, isEmbedded: isEmbedded, receive: take)
        // Copies of a photo.
        for (path, digest) in waiting { found[path] = digests[digest] }
        return (photos.compactMap { photo in found[photo.path].map { (photo.path, $0) } }, missing.count)
    }

    /// What is looked for and found: products, or photos.
    private struct Things {
        let unit: String
        let vectors: [Products.Embedding]
        let labels: [Int]
        let unlabelled: Int

        init(
            _ photos: [(path: ImagePath, vector: Products.Embedding)], _ by: EvaluationLabels,
            _ table: [String: String], _ settings: Settings
        ) throws {
            let grouping = ProductGrouping(settings.images.productPattern)
            var named: [(label: String?, vector: Products.Embedding)] = []
            if by == .products {
                unit = "photo"
                named = photos.map { (grouping.product(of: $0.path).text, $0.vector) }
            } else {
                unit = "product"
                let products = Dictionary(grouping: photos) { grouping.product(of: $0.path) }
                for (product, photos) in products.sorted(by: { $0.key < $1.key }) {
                    let label: String? =
                        by == .folders
                        ? Self.folder(of: photos[0].path)
                        : table[product.text] ?? photos.lazy.compactMap { table[$0.path.text] }.first
                    named.append((label, Products.Embedding(meanOf: photos.map(\.vector))))
                }
            }
            let labelled = named.filter { $0.label != nil }
            var numbers: [String: Int] = [:]
            labels = labelled.map { thing in
                let next = numbers.count
                numbers[thing.label ?? "", default: next] = numbers[thing.label ?? ""] ?? next
                return numbers[thing.label ?? ""] ?? next
            }
            vectors = labelled.map(\.vector)
            unlabelled = named.count - labelled.count
        }

        /// Nil for a photo that lies in no folder.
        private static func folder(of path: ImagePath) -> String? {
            path.text.lastIndex(of: "/").map { String(path.text[..<$0]) }
        }

        /// Those that have another of their label, or a sample of them, which is the same for each model.
        func queries(sample: Int?) -> [Int] {
            let sizes = labels.reduce(into: [:]) { $0[$1, default: 0] += 1 }
            let all = labels.indices.filter { sizes[labels[$0], default: 0] > 1 }
            guard let sample, sample < all.count else { return all }
            // Evenly over all, in the order of their names.
            return (0..<sample).map { all[$0 * all.count / sample] }
        }
    }
}
