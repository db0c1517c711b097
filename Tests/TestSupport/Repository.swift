import Foundation

/// Where the tests find things.
package enum Repository {
    /// The project's folder.
    package static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent().path

    /// What Tests/Reference/make_fixtures.py made; `make test` runs it.
    package static let fixtures = "\(root)/.deps/test-fixtures"

    package static let models = "\(root)/.deps/models"

    /// The agent that was built beside the tests, or another that IMGREC_AGENT names.
    package static let agent = ProcessInfo.processInfo.environment["IMGREC_AGENT"] ?? built("imgrec-agent")

    /// A program that was built beside the tests, or in the folder that IMGREC_PROGRAMS names.
    package static func built(_ name: String) -> String {
        if let folder = ProcessInfo.processInfo.environment["IMGREC_PROGRAMS"] { return "\(folder)/\(name)" }
        let tests = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""
        return URL(fileURLWithPath: tests).deletingLastPathComponent().appendingPathComponent(name).path
    }

    /// Real photos of single things in ten folders named after what they show (Tests/Reference/make_catalogue.py), at
    /// least twelve in each: `bird/bird-001.jpg`. `make test` makes it.
    package static let catalogue = "\(root)/.deps/test-catalogue"

    /// The photos of the catalogue by their paths in it, sorted.
    package static let photos = (FileManager.default.enumerator(atPath: catalogue) ?? .init())
        .compactMap { $0 as? String }.filter { $0.hasSuffix(".jpg") }.sorted()

    /// The bytes of a fixture.
    package static func fixture(_ path: String) throws -> [UInt8] {
        guard let data = FileManager.default.contents(atPath: "\(fixtures)/\(path)") else {
            throw MissingFixture(path: path)
        }
        return Array(data)
    }

    package struct MissingFixture: Error, CustomStringConvertible {
        let path: String
        package var description: String {
            "the fixture \(path) is missing: run the tests with 'make test', which makes it"
        }
    }
}
