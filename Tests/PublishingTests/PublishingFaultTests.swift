import Foundation
import Products
import TestSupport
import Testing

@testable import Publishing

/// Each call to the file system fails once in each way that it can fail in.
@Suite("Publishing on a disk that fails")
struct PublishingFaultTests {
    private static let before = ["stays", "changes", "goes", "deep/in/folders"]
    private static let after = ["stays", "changes", "deep/in/folders", "new", "other/new"]

    private static let faults: [FailingFiles.Fault] = [
        .errno(ENOSPC), .errno(EDQUOT), .errno(EIO), .errno(EMFILE), .errno(EROFS), .errno(EACCES), .short,
    ]

    private func document(_ id: String, score: Float) throws -> ProductDocument {
        func photo(_ path: String) throws -> ProductPhoto {
            ProductPhoto(path: try #require(ImagePath(path)), digest: ContentDigest(of: path.utf8))
        }
        return ProductDocument(
            product: ProductID(id), photos: [try photo("\(id).jpg")],
            recommendations: [
                Candidate(
                    neighbour: Neighbour(product: ProductID("stays"), score: score),
                    photos: [try photo("stays.jpg")])
            ])
    }

    private func score(of id: String, isAfter: Bool) -> Float { id == "changes" && isAfter ? 0.25 : 0.5 }

    /// What is published first, and what next: some files stay, one changes, one goes, two come. A catalogue knows of a product
    /// before it has a file, and until it has none.
    private func publish(
        _ folder: String, isAfter: Bool, model: String = "m", through files: FailingFiles? = nil
    ) throws -> Publisher.Outcome {
        let known = isAfter ? Self.before + ["new", "other/new"] : []
        let output = KnownOutput(
            known.sorted().map { (ProductID($0), nil) }, parts: ["products", "component"])
        var form = OutputForm()
        form.hasComponent = isAfter
        let publisher =
            if let files {
                try Publisher(folder: folder, model: model, form: form, known: output, files: files)
            } else {
                try Publisher(folder: folder, model: model, form: form, known: output)
            }
        publisher.beginAnew()
        for id in isAfter ? Self.after : Self.before {
            _ = try publisher.stage(try document(id, score: score(of: id, isAfter: isAfter)))
        }
        if isAfter { publisher.remove(ProductID("goes")) }
        return try publisher.finish()
    }

    @Test(
        "says so, leaves no file torn, and the next time makes what a clean time makes", arguments: faults,
        ["m", "other model"])
    func publisher(fault: FailingFiles.Fault, model: String) throws {
        let folder = try TemporaryFolder()
        _ = try publish("\(folder.path)/clean", isAfter: false)
        let old = try TemporaryFolder.contents(of: "\(folder.path)/clean")
        _ = try publish("\(folder.path)/clean", isAfter: true, model: model)
        let new = try TemporaryFolder.contents(of: "\(folder.path)/clean")
        #expect(old != new)

        var hits: [String: Int] = [:]
        var failed = 0
        for isLasting in [false, true] {
            var number = 1
            while true {
                let output = "\(folder.path)/out"
                try? FileManager.default.removeItem(atPath: output)
                _ = try publish(output, isAfter: false)
                let files = FailingFiles(
                    fault, at: number, isLasting: isLasting, of: FailingFiles.kinds(of: fault))
                var isReported = false
                do {
                    _ = try publish(output, isAfter: true, model: model, through: files)
                } catch let error as PublishingError {
                    (failed, isReported) = (failed + 1, true)
                    #expect(!"\(error)".isEmpty)
                }
                guard let hit = files.injected.first else { break }
                // What could not be flushed is not said to be there, and what is said to be there is. What was put aside may be left:
                // the next time removes it.
                let found = try TemporaryFolder.contents(of: output).filter { !$0.key.hasPrefix(".") }
                let isDone = found == new && !["fdatasync", "syncfs"].contains(hit)
                #expect(isReported || isDone, "\(fault) at \(hit), call \(number)")
                hits[hit, default: 0] += 1
                for (name, data) in found {
                    #expect(
                        data == old[name] || data == new[name], "\(name), \(fault) at \(hit), call \(number)")
                }
                _ = try publish(output, isAfter: true, model: model)
                #expect(
                    try TemporaryFolder.contents(of: output) == new, "\(fault) at \(hit), call \(number)")
                number += 1
            }
        }
        print(
            "publishing, \(model), \(fault): \(hits.values.reduce(0, +)) faults injected, \(failed) reported: \(hits.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }.joined(separator: ", "))"
        )
        #expect(!hits.isEmpty)
    }
}
