import Foundation
import GRDB
import Products
import TestSupport
import Testing

@testable import Catalogue

@Suite("Catalogue")
struct CatalogueTests {
    private let folder: TemporaryFolder
    private let catalogue: Catalogue
    private let model: ModelNumber

    init() throws {
        folder = try TemporaryFolder()
        catalogue = try Catalogue(stateFolder: folder.path)
        model = try catalogue.number(of: Self.model("m", 1))
    }

    private static func model(_ name: String, _ identity: UInt8) -> ModelRecord {
        ModelRecord(identity: digest(identity), name: name, precision: "f32", dimension: 4, recipe: nil)
    }

    private static func digest(_ byte: UInt8) -> ContentDigest { ContentDigest(of: [byte]) }

    private static func image(_ path: String, _ state: ImageRecord.State) throws -> ImageRecord {
        let path = try #require(ImagePath(path))
        return ImageRecord(
            path: path, product: ProductID(of: path), stamp: FileStamp(bytes: 3, mtimeNanoseconds: 1 << 60),
            state: state)
    }

    private func store(_ paths: [(String, UInt8)]) throws {
        try catalogue.store(
            images: try paths.map { try Self.image($0.0, .ready(Self.digest($0.1))) },
            embeddings: try paths.map {
                (Self.digest($0.1), try Embedding(normalizing: [Float($0.1), 1, 0, 0]))
            },
            model: model)
    }

    private func rank(
        _ rows: [(String, [(String, Float)])], removed: [String] = [], settled: [String]? = nil,
        departures: Departures = Departures()
    ) throws {
        let neighbours = Dictionary(
            uniqueKeysWithValues: rows.map {
                (ProductID($0.0), $0.1.map { Neighbour(product: ProductID($0.0), score: $0.1) })
            })
        try catalogue.rank(departures, model: model, depth: 2, changing: rows.count) { transaction in
            try transaction.remove(removed.map { ProductID($0) })
            for (product, neighbours) in neighbours { try transaction.set(neighbours, of: product) }
            try transaction.noteUpToDate((settled ?? rows.map(\.0)).map { ProductID($0) })
        }
    }

    private func notePublished(
        _ published: [(String, UInt8)], removed: [String] = [], forHook: [String]? = nil
    ) throws {
        var note = PublicationNote(model: model, parts: ["products"], form: Self.digest(0))
        note.published = published.map { (ProductID($0.0), Self.digest($0.1)) }
        note.removed = removed.map { ProductID($0) }
        note.forHook = forHook.map { $0.map { ProductID($0) } }
        try catalogue.notePublished(note)
    }

    private func takeUnrecommended() throws -> [String] {
        let products = try catalogue.unrecommendedProducts()
        try catalogue.noteRecommended(products, due: [])
        return products.map(\.text)
    }

    private func allVectors(of model: ModelNumber, without departing: Set<ImagePath> = []) throws -> [(
        product: ProductID, embedding: Embedding
    )] {
        var vectors: [(product: ProductID, embedding: Embedding)] = []
        try catalogue.forEachVectors(of: model, without: departing, inGroupsOf: 2) { group in
            #expect(group.count <= 2)
            vectors += group
        }
        return vectors
    }

    @Test("photos come back as they were stored, after opening again too")
    func images() throws {
        let images = [
            try Self.image("a.jpg", .ready(Self.digest(1))),
            try Self.image("b/\u{E9}.jpg", .failed(reason: "damaged", attempts: 2, under: "1/2")),
            try Self.image("b/e\u{301}.jpg", .failed(reason: "may not be read", attempts: 1, under: nil)),
        ]
        try catalogue.store(images: images, embeddings: [], model: model)
        let again = try #require(try Catalogue.forReading(stateFolder: folder.path))
        #expect(Set(try again.images()) == Set(images))
        #expect(try again.failedImages().count == 2)
    }

    @Test("the neighbour table is plain SQL, ranks from 1")
    func sql() throws {
        try store([("a.jpg", 1), ("b.jpg", 2)])
        try rank([("a", [("b", 0.5)]), ("b", [("a", 0.5)])])
        let rows = try catalogue.read {
            try Row.fetchAll($0, sql: "SELECT product, rank, neighbour, score FROM neighbour ORDER BY 1, 2")
        }
        #expect(
            rows.map {
                "\($0["product"] as String) \($0["rank"] as Int) \($0["neighbour"] as String) \($0["score"] as Double)"
            } == ["a 1 b 0.5", "b 1 a 0.5"])
    }

    @Test("a score comes back bit for bit")
    func scores() throws {
        try store([("a.jpg", 1), ("b.jpg", 2)])
        let score = Float(bitPattern: 0x3F1A_2B3C)
        try rank([("a", [("b", score)]), ("b", [("a", score)])])
        #expect(
            try catalogue.neighbours(of: ProductID("a")) == [Neighbour(product: ProductID("b"), score: score)]
        )
        #expect(try catalogue.neighbours(of: ProductID("c")) == nil)
    }

    @Test(
        "storing a ready photo leaves its product unranked; ranking settles it; a failed one changes nothing")
    func unranked() throws {
        try catalogue.store(
            images: [try Self.image("x.jpg", .failed(reason: "r", attempts: 1, under: nil))], embeddings: [],
            model: model)
        #expect(
            try catalogue.rankingState()
                == RankingState(model: nil, depth: 0, products: 0, unranked: [], isHeldBack: false))
        try store([("a.jpg", 1), ("b.jpg", 2)])
        #expect(try catalogue.rankingState().unranked.map(\.text) == ["a", "b"])
        try rank([("a", [])])
        #expect(
            try catalogue.rankingState()
                == RankingState(
                    model: model, depth: 2, products: 1, unranked: [ProductID("b")], isHeldBack: false))
        try catalogue.setHeldBack(true)
        #expect(try catalogue.rankingState().isHeldBack)
        let (a, b) = (ProductID("a"), ProductID("b"))
        #expect(
            try catalogue.holdings(of: [a, b], without: [try #require(ImagePath("b.jpg"))]) == [
                a: .init(isRanked: true, contents: [Self.digest(1)]), b: .init(isRanked: false, contents: []),
            ])
    }

    @Test("a photo that counts as another product's leaves both unranked")
    func regrouped() throws {
        try store([("a-1.jpg", 1)])
        try rank([("a-1", [])])
        let image = try Self.image("a-1.jpg", .ready(Self.digest(1)))
        try catalogue.store(
            images: [
                ImageRecord(path: image.path, product: ProductID("a"), stamp: image.stamp, state: image.state)
            ], embeddings: [], model: model)
        #expect(try catalogue.rankingState().unranked.map(\.text) == ["a", "a-1"])
    }

    @Test("photos at or below a path are those, and not those whose names begin alike")
    func scopes() throws {
        let all = ["a.jpg", "a/b.jpg", "a/b/c.jpg", "a0.jpg", "a-.jpg", "b.jpg"]
        try store(all.enumerated().map { ($0.element, UInt8($0.offset)) })
        func found(_ paths: String...) throws -> [String] {
            try catalogue.known(at: paths.map { try #require(ImagePath($0)) }, model: model).images
                .map(\.path.text).sorted()
        }
        #expect(try found("a") == ["a/b.jpg", "a/b/c.jpg"])
        #expect(try found("a/b", "a/b/c.jpg", "b.jpg") == ["a/b/c.jpg", "b.jpg"])
        #expect(try found("c").isEmpty)
    }

    @Test(
        "only lists that may change are made again: of changed rows, and of those that name a changed product"
    )
    func unrecommended() throws {
        try store([("a.jpg", 1), ("b.jpg", 2), ("c.jpg", 3), ("d.jpg", 4)])
        try rank([("a", [("b", 0.5)]), ("b", [("a", 0.5)]), ("c", [("d", 0.5)]), ("d", [("b", 0.5)])])
        #expect(try takeUnrecommended() == ["a", "b", "c", "d"])
        #expect(try takeUnrecommended().isEmpty)
        // The same rows again: nothing but the settled product and those that name it.
        try rank([("a", [("b", 0.5)]), ("b", [("a", 0.5)])], settled: ["b"])
        #expect(try takeUnrecommended() == ["a", "b", "d"])
        try rank([("c", [("a", 0.5)])], settled: [])
        #expect(try takeUnrecommended() == ["c"])
        try rank([], removed: ["a"], settled: [])
        #expect(try takeUnrecommended() == ["a", "b", "c"])
    }

    @Test("files are due that are said to be, until they are published")
    func due() throws {
        try store([("a.jpg", 1), ("b.jpg", 2)])
        try rank([("a", [("b", 0.5)]), ("b", [("a", 0.5)])])
        let (a, b, c) = (ProductID("a"), ProductID("b"), ProductID("c"))
        try catalogue.noteRecommended([a, b], due: [a])
        #expect(try catalogue.dueProducts() == [a])
        #expect(try catalogue.publishedDigests(of: [a, b]) == [a: nil])
        try notePublished([("a", 9)])
        #expect(try catalogue.dueProducts().isEmpty)
        #expect(try catalogue.publishedDigests(of: [a, c]) == [a: Self.digest(9)])
        // All that is to be made again, at once.
        try rank([("b", [])])
        try catalogue.noteAllRecommended()
        #expect(try catalogue.dueProducts() == [a, b])
        #expect(try catalogue.unrecommendedProducts().isEmpty)
    }

    @Test(
        "of a new table the products are made again of which it says something else, and those that name them"
    )
    func attributes() throws {
        func attributes(_ pairs: KeyValuePairs<String, String>) -> ProductAttributes {
            ProductAttributes(pairs.map { .init(name: $0.key, value: $0.value) })
        }
        try store([("a.jpg", 1), ("b.jpg", 2), ("c.jpg", 3)])
        try rank([("a", [("b", 0.5)]), ("b", [("c", 0.5)]), ("c", [("b", 0.5)])])
        _ = try takeUnrecommended()
        #expect(try catalogue.attributesFile() == nil)
        let odd = attributes(["title": "a\tb\nc\\d\0e", "empty": "", "n": "\\n"])
        try catalogue.store(
            attributes: [ProductID("b"): odd, ProductID("none"): attributes(["price": "1"])],
            of: Self.digest(1))
        #expect(try takeUnrecommended() == ["a", "b", "c"])
        #expect(try catalogue.attributesFile() == Self.digest(1))
        #expect(try catalogue.attributedCounts() == (2, 1))
        var ranked: [RankedProduct] = []
        try catalogue.forEachRankedProduct { ranked.append($0) }
        #expect(ranked.map(\.attributes) == [ProductAttributes(), odd, ProductAttributes()])
        #expect(ranked[0].similar[0].attributes == odd)
        var some: [RankedProduct?] = []
        try catalogue.forEach(of: ranked.map(\.product)) { some.append($1) }
        #expect(some == ranked)
        // A line more: only what it is about.
        try catalogue.store(
            attributes: [ProductID("b"): odd, ProductID("a"): attributes(["price": "2"])],
            of: Self.digest(2))
        #expect(try takeUnrecommended() == ["a"])
        // No table any more.
        try catalogue.store(attributes: [:], of: nil)
        #expect(try takeUnrecommended() == ["a", "b", "c"])
        #expect(try catalogue.attributesFile() == nil && catalogue.attributedCounts() == (0, 0))
    }

    @Test("a product's vector is the mean of its photos', without those that depart")
    func vectors() throws {
        try store([("a.jpg", 1), ("a.png", 3), ("b.jpg", 2)])
        let vectors = try allVectors(of: model)
        #expect(vectors.map(\.product.text) == ["a", "b"])
        #expect(
            vectors[0].embedding
                == Embedding(meanOf: [
                    try Embedding(normalizing: [1, 1, 0, 0]), try Embedding(normalizing: [3, 1, 0, 0]),
                ]))
        #expect(try catalogue.embeddedProducts(of: model) == vectors.map(\.product))
        let without = try allVectors(
            of: model, without: [try #require(ImagePath("a.jpg")), try #require(ImagePath("b.jpg"))])
        #expect(without.map(\.product.text) == ["a"])
        #expect(without[0].embedding == (try Embedding(normalizing: [3, 1, 0, 0])))
    }

    @Test("what departs leaves with the ranking, and with it the vectors that no photo needs")
    func departures() throws {
        try store([("a.jpg", 1), ("b.jpg", 2), ("copy-of-b.jpg", 2), ("c.jpg", 3)])
        try rank([("a", []), ("b", []), ("copy-of-b", []), ("c", [])])
        let failed = try Self.image("c.jpg", .failed(reason: "damaged", attempts: 1, under: "1"))
        try rank(
            [("copy-of-b", [])], removed: ["a", "b", "c"],
            departures: Departures(
                removed: [try #require(ImagePath("a.jpg")), try #require(ImagePath("b.jpg"))],
                failed: [failed]))
        #expect(try catalogue.images().map(\.path.text) == ["c.jpg", "copy-of-b.jpg"])
        #expect(try catalogue.embeddedContents(of: model).count == 3)
        try catalogue.purge()
        #expect(try catalogue.embeddedContents(of: model) == [Self.digest(2)])
        #expect(
            try catalogue.embeddedContents(among: [Self.digest(1), Self.digest(2)], of: model)
                == [Self.digest(2)])
        #expect(try catalogue.rankedProducts().map(\.text) == ["copy-of-b"])
        // Their files are still to be removed.
        #expect(try catalogue.unrecommendedProducts().map(\.text) == ["a", "b", "c", "copy-of-b"])
        #expect(try catalogue.summary().isRankingDue)
    }

    @Test("ranked products come with their photos and neighbours, one at a time, in order")
    func rankedProducts() throws {
        try store([("b.jpg", 1), ("b.png", 2), ("a.jpg", 3), ("a/b.jpg", 4)])
        try rank([("a", [("b", 0.5), ("a/b", 0.25)]), ("a/b", []), ("b", [("a", 0.5)])])
        try store([("unranked.jpg", 9)])
        var seen: [RankedProduct] = []
        try catalogue.forEachRankedProduct { seen.append($0) }
        #expect(seen.map(\.product.text) == ["a", "a/b", "b"])
        #expect(seen.map { $0.photos.map(\.path.text) } == [["a.jpg"], ["a/b.jpg"], ["b.jpg", "b.png"]])
        #expect(seen.map { $0.similar.map(\.neighbour.product.text) } == [["b", "a/b"], [], ["a"]])
        #expect(seen[0].similar.map(\.photos[0].path.text) == ["b.jpg", "a/b.jpg"])
        var some: [RankedProduct?] = []
        try catalogue.forEach(of: ["b", "unranked", "a"].map { ProductID($0) }) { some.append($1) }
        #expect(some == [seen[2], nil, seen[0]])
        #expect(try catalogue.firstImages()[ProductID("b")]?.text == "b.jpg")
    }

    @Test("what changes again while the hook is told of it stays to be told")
    func hookChanges() throws {
        let (a, b, c) = (ProductID("a"), ProductID("b"), ProductID("c"))
        try notePublished([("a", 1), ("b", 2)], forHook: [])
        let first = try catalogue.hookChanges()
        #expect(first.map(\.product) == [a, b] && first.allSatisfy { !$0.isRemoved })
        // While that is told: one changes, one goes, one is as it was, one comes.
        try notePublished([("a", 3), ("c", 4)], removed: ["b"], forHook: [])
        try catalogue.noteTold(first)
        let second = try catalogue.hookChanges()
        #expect(second.map(\.product) == [a, b, c])
        #expect(second.map(\.isRemoved) == [false, true, false])
        try catalogue.noteTold(second)
        try notePublished([("a", 3), ("c", 4)], forHook: ["c"])
        #expect(try catalogue.hookChanges().map(\.product) == [c])
        // Without a hook nothing is noted.
        try notePublished([("a", 9)])
        #expect(try catalogue.hookChangeCount() == 1)
    }

    @Test("publications are noted, adopted and forgotten")
    func publications() throws {
        try store([("a.jpg", 1)])
        try rank([("a", [])])
        try catalogue.adopt([ProductID("old"), ProductID("a")])
        #expect(try catalogue.publications().map(\.product.text) == ["a", "old"])
        try notePublished([("a", 7)], removed: ["old"])
        #expect(try catalogue.publications().map(\.product.text) == ["a"])
        #expect(try catalogue.summary().due == 0)
    }

    @Test("another model's vectors do not count, and stay until they are pruned")
    func otherModel() throws {
        try store([("a.jpg", 1)])
        let record = Self.model("other", 2)
        #expect(try catalogue.existingNumber(of: record) == nil)
        let other = try catalogue.number(of: record)
        #expect(try catalogue.existingNumber(of: record) == other)
        #expect(try catalogue.embeddedContents(of: other).isEmpty)
        #expect(try allVectors(of: other).isEmpty)
        try catalogue.rank(Departures(), model: other, depth: 2, changing: 0) { _ in }
        try catalogue.purge()
        #expect(try catalogue.embeddedContents(of: model).count == 1)
        #expect(try catalogue.summary().model == record)
        #expect(try catalogue.prune().map(\.embeddings) == [1])
        #expect(try catalogue.embeddedContents(of: model).isEmpty)
        #expect(try catalogue.prune().isEmpty)
    }

    @Test(
        "a model that is to take over is told how far it is, keeps its vectors, and has no more to do once it did"
    )
    func comingModel() throws {
        try store([("a.jpg", 1), ("b.jpg", 2), ("copy-of-b.jpg", 2), ("c.jpg", 3)])
        try rank([("a", []), ("b", []), ("copy-of-b", []), ("c", [])])
        let record = ModelRecord(
            identity: Self.digest(9), name: "next", precision: "f32", dimension: 4, recipe: "{}")
        let next = try #require(try catalogue.setComing(record))
        #expect(try catalogue.summary().coming == ComingModel(record: record, embedded: 0, photos: 4))
        let waiting = try catalogue.unembeddedImages(of: next, after: nil, limit: 9)
        #expect(Set(waiting.map(\.path.text)) == ["a.jpg", "b.jpg", "c.jpg"])
        #expect(
            try catalogue.unembeddedImages(of: next, after: waiting[1].digest, limit: 9).map(\.path) == [
                waiting[2].path
            ])
        #expect(try catalogue.unembeddedImages(of: next, after: nil, limit: 2).count == 2)
        let vector = try Embedding(normalizing: [1, 0, 0, 0])
        try catalogue.store(images: [], embeddings: [(Self.digest(2), vector)], model: next)
        #expect(try catalogue.summary().coming?.embedded == 2)
        #expect(try catalogue.rankingState().unranked.isEmpty)
        _ = try catalogue.number(of: Self.model("abandoned", 8))
        #expect(try catalogue.prune().map(\.record.name) == ["abandoned"])
        #expect(try catalogue.knownModels().map(\.isComing) == [false, true])
        #expect(try catalogue.knownModels().map(\.isInService) == [true, false])
        try catalogue.rank(Departures(), model: next, depth: 2, changing: 0) { _ in }
        #expect(try catalogue.summary().coming == nil)
        #expect(try catalogue.modelInService()?.record == record)
    }

    @Test("the model of a first import is no other's to prune, and takes over from none")
    func firstImport() throws {
        let number = try #require(try catalogue.setComing(Self.model("first", 5)))
        let vector = try Embedding(normalizing: [1, 0, 0, 0])
        try catalogue.store(images: [], embeddings: [(Self.digest(2), vector)], model: number)
        _ = try catalogue.prune()
        #expect(try catalogue.embeddedContents(of: number) == [Self.digest(2)])
        #expect(try catalogue.summary().coming == nil)
    }

    @Test("a disk that is full while the ranking is written is said as such, and undoes all of it")
    func full() throws {
        try store([("a.jpg", 1)])
        try catalogue.database.write { database in
            let pages = try Int.fetchOne(database, sql: "PRAGMA page_count") ?? 0
            try database.execute(sql: "PRAGMA max_page_count = \(pages)")
        }
        #expect(throws: CatalogueError.full(file: catalogue.file)) {
            try rank((0..<2000).map { ("product-\($0)", [("a", 0.5)]) })
        }
        #expect(try catalogue.rankedProducts().isEmpty)
        #expect(try catalogue.rankingState().unranked == [ProductID("a")])
    }

    @Test("a damaged database says what to do")
    func damaged() throws {
        let folder = try TemporaryFolder()
        try folder.write(
            Catalogue.fileName,
            Array("this is no database, whatever its name says".utf8) + [UInt8](repeating: 7, count: 5000))
        #expect { try Catalogue(stateFolder: folder.path) } throws: {
            "\($0)".contains("it is made anew from the photos")
        }
    }

    @Test("a database of a later version is left alone")
    func newer() throws {
        try catalogue.write { try $0.execute(sql: "INSERT INTO grdb_migrations VALUES ('99')") }
        #expect(throws: CatalogueError.fromNewerVersion(file: catalogue.file)) {
            try Catalogue(stateFolder: folder.path)
        }
    }
}
