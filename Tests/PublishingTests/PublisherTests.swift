import Foundation
import Products
import Synchronization
import TestSupport
import Testing

@testable import Publishing

@Suite("Publishing")
struct PublisherTests {
    private let folder: TemporaryFolder
    private var output: String { "\(folder.path)/site/recommendations" }
    private let form = OutputForm()

    init() throws { folder = try TemporaryFolder() }

    private func document(_ id: String, _ similar: [(String, Float)] = []) throws -> ProductDocument {
        ProductDocument(
            product: ProductID(id), photos: [try photo("\(id).jpg")],
            recommendations: try similar.map {
                Candidate(
                    neighbour: Neighbour(product: ProductID($0.0), score: $0.1),
                    photos: [try photo("\($0.0).jpg")])
            })
    }

    private func photo(_ path: String) throws -> ProductPhoto {
        ProductPhoto(path: try #require(ImagePath(path)), digest: ContentDigest(of: path.utf8))
    }

    private func makePublisher(isFirst: Bool = false) throws -> Publisher {
        try Publisher(
            folder: output, model: "m", form: form,
            known: KnownOutput(isFirst ? [] : [(ProductID("known"), nil)]))
    }

    @discardableResult
    private func publish(_ documents: [ProductDocument], removing gone: [String] = []) throws
        -> Publisher.Outcome
    {
        let publisher = try makePublisher()
        for document in documents { _ = try publisher.stage(document) }
        for product in gone { publisher.remove(ProductID(product)) }
        return try publisher.finish()
    }

    @Test("the documents are those of the contract, to the byte")
    func contract() throws {
        try publish([
            try document("dress/dress-001", [("dress/dress-014", 0.8123446), ("a\"b", -0.00000001)])
        ])
        let text = try String(contentsOfFile: "\(output)/products/dress/dress-001.json", encoding: .utf8)
        #expect(
            text == """
                {
                  "schemaVersion": 1,
                  "product": "dress/dress-001",
                  "images": ["dress/dress-001.jpg"],
                  "model": "m",
                  "recommendations": [
                    { "product": "dress/dress-014", "image": "dress/dress-014.jpg", "score": 0.812345 },
                    { "product": "a\\"b", "image": "a\\"b.jpg", "score": 0.000000 }
                  ]
                }

                """)
        let index = try String(contentsOfFile: "\(output)/index.json", encoding: .utf8)
        #expect(
            index == """
                {
                  "schemaVersion": 1,
                  "generator": "imgrec-agent",
                  "model": "m",
                  "products": {
                    "dress/dress-001": { "file": "products/dress/dress-001.json", "digest": "sha256:\(ContentDigest(of: text.utf8))" }
                  }
                }

                """)
    }

    @Test("a file whose bytes would not change is not touched")
    func unchanged() throws {
        try publish([try document("a", [("b", 0.5)]), try document("b")])
        let before = try attributes()
        let outcome = try publish([try document("a", [("b", 0.5)]), try document("b")])
        #expect(outcome == Publisher.Outcome(written: 0, unchanged: 2, removed: 0))
        #expect(try attributes() == before)
        #expect(
            try publish([try document("a", [("b", 0.25)]), try document("b")])
                == Publisher.Outcome(written: 1, unchanged: 1, removed: 0, isIndexNew: true))
    }

    /// Inode and modification time of every file.
    private func attributes() throws -> [String: String] {
        try TemporaryFolder.contents(of: output).keys.reduce(into: [:]) { result, name in
            var status = stat()
            #expect(stat("\(output)/\(name)", &status) == 0)
            result[name] = "\(status.st_ino) \(status.st_mtim.tv_sec).\(status.st_mtim.tv_nsec)"
        }
    }

    @Test("a vanished product's file and the folders that it leaves empty are removed, others stay")
    func removal() throws {
        try publish([try document("a/b/c"), try document("a/d")])
        try folder.write("site/recommendations/products/a/own.txt", [1])
        let outcome = try publish([try document("a/d")], removing: ["a/b/c", "never/was"])
        #expect(outcome.removed == 1)
        #expect(
            try TemporaryFolder.contents(of: output).keys.sorted() == [
                "index.json", "products/a/d.json", "products/a/own.txt",
            ])
        #expect(!FileManager.default.fileExists(atPath: "\(output)/products/a/b"))
    }

    @Test("an id that reaches for the outside writes inside")
    func outside() throws {
        for id in ["../../escape", "/escape", "..", "a/../../../escape"] {
            try publish([
                ProductDocument(product: ProductID(id), photos: [try photo("a.jpg")], recommendations: [])
            ])
        }
        let outside = try TemporaryFolder.contents(of: folder.path).keys.filter {
            !$0.hasPrefix("site/recommendations/")
        }
        #expect(outside.isEmpty)
    }

    @Test("a link in the output folder is not followed")
    func links() throws {
        try FileManager.default.createDirectory(
            atPath: "\(output)/products", withIntermediateDirectories: true)
        try FileManager.default.createDirectory(
            atPath: "\(folder.path)/elsewhere", withIntermediateDirectories: true)
        try FileManager.default.createSymbolicLink(
            atPath: "\(output)/products/a", withDestinationPath: "\(folder.path)/elsewhere")
        #expect { try publish([try document("a/b")]) } throws: {
            "\($0)".contains("something that imgrec-agent did not make")
        }
        #expect(try TemporaryFolder.contents(of: "\(folder.path)/elsewhere").isEmpty)
    }

    @Test(
        "somebody else's index.json is not overwritten",
        arguments: ["{}", "{\"generator\": \"other\", \"products\": {}}", "hello"])
    func foreign(content: String) throws {
        try folder.write("site/recommendations/index.json", Array(content.utf8))
        #expect(throws: PublishingError.foreignIndex(folder: output)) { try publish([try document("a")]) }
    }

    @Test("files without an index of ours are somebody else's, unless the catalogue knows them")
    func foreignProducts() throws {
        try folder.write("site/recommendations/products/a.json", [1])
        #expect(throws: PublishingError.foreignProducts(folder: output)) {
            _ = try makePublisher(isFirst: true)
        }
        try publish([try document("a")])
        _ = try makePublisher(isFirst: true)
    }

    @Test("an index that cannot be read is not replaced")
    func linkedIndex() throws {
        try folder.write("elsewhere.json", Array("{}".utf8))
        try FileManager.default.createDirectory(atPath: output, withIntermediateDirectories: true)
        try FileManager.default.createSymbolicLink(
            atPath: "\(output)/index.json", withDestinationPath: "\(folder.path)/elsewhere.json")
        #expect(throws: PublishingError.self) { try publish([try document("a")]) }
    }

    @Test("two agents do not write to one folder")
    func busy() throws {
        let first = try makePublisher()
        #expect(throws: PublishingError.busy(folder: output)) {
            _ = try makePublisher()
        }
        _ = first.takeIndexedProducts()
    }

    @Test("folders that differ in Unicode spelling alone are two")
    func spellings() throws {
        let outcome = try publish([try document("caf\u{E9}/a"), try document("cafe\u{301}/a")])
        #expect(outcome.written == 2)
        let again = try publish([try document("caf\u{E9}/a"), try document("cafe\u{301}/a")])
        #expect(again == Publisher.Outcome(written: 0, unchanged: 2, removed: 0))
    }

    @Test("an empty folder that a stopped run left is removed with the next")
    func leftFolder() throws {
        try FileManager.default.createDirectory(
            atPath: "\(output)/products/a/b", withIntermediateDirectories: true)
        try publish([], removing: ["a/b/c/d"])
        #expect(!FileManager.default.fileExists(atPath: "\(output)/products/a"))
    }

    @Test("the products of an index on disk are known, however they are spelt")
    func indexed() throws {
        let ids = ["a", "..", "50%", "é", "a\nb"]
        try publish(
            try ids.map {
                ProductDocument(product: ProductID($0), photos: [try photo("a.jpg")], recommendations: [])
            })
        let publisher = try makePublisher()
        let indexed = publisher.takeIndexedProducts()
        #expect(indexed == ids.map { ProductID($0) }.sorted())
    }

    @Test("what an interrupted run left aside is gone, and no reader sees it")
    func staging() throws {
        try folder.write("site/recommendations/.imgrec-agent-staging/1", [1, 2])
        try publish([try document("a")])
        #expect(try TemporaryFolder.contents(of: output).keys.sorted() == ["index.json", "products/a.json"])
        #expect(!FileManager.default.fileExists(atPath: "\(output)/.imgrec-agent-staging"))
    }

    @Test("a reader in a tight loop never sees a partial file")
    func atomic() throws {
        let long = try (0..<400).map { try photo("photo-number-\($0).jpg") }
        func version(_ number: Int) -> ProductDocument {
            ProductDocument(
                product: ProductID("a"), photos: Array(long.prefix(number % 2 == 0 ? 400 : 300)),
                recommendations: [])
        }
        try publish([version(0)])
        let file = "\(output)/products/a.json"
        let reader = TightReader(of: file)
        for number in 1..<60 { try publish([version(number)]) }
        let seen = reader.stop()
        #expect(seen == Set([0, 1].map { Data(version($0).json(model: "m", form: form)) }))
    }

    @Test("changes one after another give the files and the index that all at once give")
    func increments() throws {
        var random = SeededRandom(seed: 3)
        let publisher = try makePublisher()
        var current: [String: ProductDocument] = [:]
        for _ in 0..<40 {
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                let name = "p\(Int.random(in: 0..<12, using: &random))"
                if Bool.random(using: &random) {
                    current[name] = nil
                    publisher.remove(ProductID(name))
                } else {
                    current[name] = try document(name, [("q", Float.random(in: 0...1, using: &random))])
                    _ = try publisher.stage(current[name]!)
                }
            }
            _ = try publisher.finish()
        }
        let files = try TemporaryFolder.contents(of: output)
        let other = try TemporaryFolder()
        let clean = try Publisher(folder: other.path, model: "m", form: form, known: KnownOutput())
        for document in current.values { _ = try clean.stage(document) }
        _ = try clean.finish()
        #expect(try TemporaryFolder.contents(of: other.path) == files)
        #expect(files.count == current.count + 1)
    }

    @Test(
        "whatever layout, format and model follow each other, stopped or not, the end is a first run's",
        arguments: [1, 2, 3, 4])
    func forms(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        let layouts: [OutputForm.Layout] = [.products, .sharded(digits: 1), .sharded(digits: 2), .single]
        // Where one layout has one product's file, another has another's.
        let shard = ContentDigest(of: "x".utf8).description.prefix(1)
        let ids = ["x", "\(shard)/x", "a.json/b", "é", "e\u{301}", "..", "q", "all", "all.json"]
        // What a catalogue knows.
        var published: [(product: ProductID, digest: ContentDigest?)] = []
        var parts: Set<String> = []
        for _ in 0..<60 {
            var form = OutputForm()
            form.layout = layouts.randomElement(using: &random)!
            form.isCompact = Bool.random(using: &random)
            form.hasComponent = Bool.random(using: &random)
            let model = ["m", "n"].randomElement(using: &random)!
            let documents = try ids.filter { _ in Bool.random(using: &random) }.sorted {
                ProductID($0) < ProductID($1)
            }.map { try document($0, [("q", Float.random(in: 0...1, using: &random))]) }
            func write(_ publisher: Publisher, isWhole: Bool = true) throws -> [(
                product: ProductID, digest: ContentDigest?
            )] {
                publisher.beginAnew()
                var digests: [(product: ProductID, digest: ContentDigest?)] = []
                for document in documents.prefix(isWhole ? documents.count : documents.count / 2) {
                    digests.append((document.product, try publisher.stage(document).digest))
                }
                guard isWhole else { return digests }
                for (product, _) in published where !documents.contains(where: { $0.product == product }) {
                    publisher.remove(product)
                }
                _ = try publisher.finish()
                return digests
            }
            func makePublisher() throws -> Publisher {
                defer { parts.formUnion(form.parts) }
                // What is ranked has a row before it has a file.
                let known = Set(published.map(\.product))
                published += documents.map(\.product).filter { !known.contains($0) }.map { ($0, nil) }
                published.sort { $0.product < $1.product }
                return try Publisher(
                    folder: output, model: model, form: form,
                    known: KnownOutput(published, parts: parts), usuallyStaged: 1)
            }
            if Bool.random(using: &random) {
                // Stopped when half of the files are in their places.
                _ = try write(try makePublisher(), isWhole: false)
                if Bool.random(using: &random) { continue }
            } else if Bool.random(using: &random), parts.count <= 1 {
                // A catalogue that was made anew.
                let publisher = try Publisher(folder: output, model: model, form: form, known: KnownOutput())
                (published, parts) = (publisher.takeIndexedProducts().map { ($0, nil) }, form.parts)
                published = try write(publisher)
            }
            published = try write(try makePublisher())
            parts = form.parts
            let clean = try TemporaryFolder()
            _ = try write(
                try Publisher(folder: clean.path, model: model, form: form, known: KnownOutput()))
            let (found, wanted) = (
                try TemporaryFolder.contents(of: output), try TemporaryFolder.contents(of: clean.path)
            )
            let differing = Set(found.keys).union(wanted.keys).filter { found[$0] != wanted[$0] }.sorted()
            #expect(differing.isEmpty, "\(form.layout), model \(model)")
            let files = PublishedFiles(folder: output, model: model, form: form)
            #expect(documents.allSatisfy { files.drift(of: $0) == nil })
            #expect(files.products == Set(documents.map(\.product)))
        }
    }

    @Test("a file of all products, or a component, that is somebody else's is not replaced, nor removed")
    func foreignParts() throws {
        try folder.write("site/recommendations/all.json", Array("{\"mine\": 1}".utf8))
        try folder.write("site/recommendations/similar-products.js", Component.bytes)
        var form = OutputForm()
        form.layout = .single
        #expect { _ = try Publisher(folder: output, model: "m", form: form, known: KnownOutput()) } throws: {
            "\($0)".contains("all.json") && "\($0)".contains("Move it away")
        }
        // Nor when it is begun, refused, and given up again.
        _ = try Publisher(
            folder: output, model: "m", form: OutputForm(),
            known: KnownOutput([(ProductID("a"), nil)], parts: ["products", "single"])
        ).finish()
        // A copy that somebody put there stays, though it is ours to the byte.
        try publish([try document("a")])
        #expect(
            try TemporaryFolder.contents(of: output).keys.sorted() == [
                "all.json", "index.json", "products/a.json", "similar-products.js",
            ])
    }

    @Test("an output folder that was replaced is noticed")
    func replaced() throws {
        let publisher = try makePublisher()
        let before = publisher.isInPlace
        try FileManager.default.moveItem(atPath: output, toPath: "\(output)-old")
        let without = publisher.isInPlace
        try FileManager.default.createDirectory(atPath: output, withIntermediateDirectories: true)
        let after = publisher.isInPlace
        #expect(before && !without && !after)
    }

    @Test("more files than one flush takes are all there")
    func many() throws {
        let outcome = try publish(try (0..<1100).map { try document("p\($0)") })
        #expect(outcome.written == 1100)
        #expect(try TemporaryFolder.contents(of: output).count == 1101)
    }

    // MARK: Another model

    /// Publishes all documents of a model.
    private func publishAll(_ documents: [ProductDocument], model: String, known: [String]) throws
        -> Publisher.Outcome
    {
        let publisher = try Publisher(
            folder: output, model: model, form: form,
            known: KnownOutput(known.map { (ProductID($0), ContentDigest(of: [1])) }))
        publisher.beginAnew()
        for document in documents { _ = try publisher.stage(document) }
        for product in known where !documents.contains(where: { $0.product == ProductID(product) }) {
            publisher.remove(ProductID(product))
        }
        return try publisher.finish()
    }

    @Test("all documents of another model take their place at once, and what is not ours stays in its place")
    func otherModel() throws {
        _ = try publishAll(
            [try document("a/one"), try document("two"), try document("gone/three")], model: "m", known: [])
        try folder.write("site/recommendations/products/a/notes.txt", Array("mine".utf8))
        try folder.write("site/recommendations/products/gone/picture.json", Array("mine too".utf8))
        try folder.write("site/recommendations/robots.txt", Array("and mine".utf8))
        let outcome = try publishAll(
            [try document("a/one"), try document("two")], model: "n", known: ["a/one", "gone/three", "two"])
        #expect(outcome == Publisher.Outcome(written: 2, unchanged: 0, removed: 1, isIndexNew: true))
        let files = try TemporaryFolder.contents(of: output)
        #expect(
            files.keys.sorted() == [
                "index.json", "products/a/notes.txt", "products/a/one.json", "products/gone/picture.json",
                "products/two.json", "robots.txt",
            ])
        for name in ["index.json", "products/a/one.json", "products/two.json"] {
            #expect(String(decoding: files[name] ?? Data(), as: UTF8.self).contains("\"model\": \"n\""))
        }
    }

    @Test("where there is no room for two, documents of another model replace those on disk one by one")
    func oneByOne() throws {
        _ = try publishAll([try document("a/one"), try document("gone")], model: "m", known: [])
        let publisher = try Publisher(
            folder: output, model: "n", form: form,
            known: KnownOutput([(ProductID("a/one"), nil), (ProductID("gone"), nil)]))
        #expect(publisher.isOfOtherModel)
        publisher.beginAnew()
        _ = try publisher.stage(try document("a/one"))
        try publisher.replaceOneByOne()
        publisher.beginAnew()
        _ = try publisher.stage(try document("a/one"))
        publisher.remove(ProductID("gone"))
        #expect(
            try publisher.finish()
                == Publisher.Outcome(written: 1, unchanged: 0, removed: 1, isIndexNew: true))
        #expect(
            try TemporaryFolder.contents(of: output).keys.sorted() == ["index.json", "products/a/one.json"])
    }

    @Test("files of another model are known as such though its name is the same")
    func sameName() throws {
        _ = try publishAll([try document("a")], model: "m", known: [])
        func publisher(_ isOther: Bool) throws -> Publisher {
            try Publisher(
                folder: output, model: "m", form: form,
                known: KnownOutput([(ProductID("a"), ContentDigest(of: [1]))], isOfOtherModel: isOther))
        }
        #expect(try !publisher(false).isOfOtherModel)
        #expect(try publisher(true).isOfOtherModel)
    }

    @Test("a change of model that ended between the two renames is gone on with", arguments: [false, true])
    func halfOfAChange(isExchanged: Bool) throws {
        _ = try publishAll([try document("a/one"), try document("two")], model: "m", known: [])
        // What a process that was killed leaves: the trees side by side, exchanged or not, under the old index.
        try folder.write("site/recommendations/products/a/notes.txt", Array("mine".utf8))
        let (published, aside) = ("\(output)/products", "\(output)/.imgrec-agent-staging/products")
        try FileManager.default.createDirectory(
            atPath: "\(output)/.imgrec-agent-staging", withIntermediateDirectories: true)
        if isExchanged {
            try FileManager.default.moveItem(atPath: published, toPath: aside)
            try folder.write(
                "site/recommendations/products/a/one.json", document("a/one").json(model: "n", form: form))
        } else {
            try folder.write(
                "site/recommendations/.imgrec-agent-staging/products/a/one.json",
                document("a/one").json(model: "n", form: form))
        }
        let known = ["a/one", "two"]
        _ = try publishAll([try document("a/one"), try document("two")], model: "n", known: known)
        let files = try TemporaryFolder.contents(of: output)
        #expect(
            files.keys.sorted() == [
                "index.json", "products/a/notes.txt", "products/a/one.json", "products/two.json",
            ])
    }
}

/// Reads a file over and over on a thread of its own.
private final class TightReader: @unchecked Sendable {  // `seen` is the thread's until it has signalled
    private var seen: Set<Data> = []
    private let isStopping = Atomic(false)
    private let hasBegun = DispatchSemaphore(value: 0)
    private let hasEnded = DispatchSemaphore(value: 0)

    init(of file: String) {
        Thread { [self] in
            repeat {
                if let data = FileManager.default.contents(atPath: file) { seen.insert(data) }
                hasBegun.signal()
            } while !isStopping.load(ordering: .relaxed)
            hasEnded.signal()
        }.start()
        hasBegun.wait()
    }

    /// Every content that was seen.
    func stop() -> Set<Data> {
        isStopping.store(true, ordering: .relaxed)
        hasEnded.wait()
        return seen
    }
}
