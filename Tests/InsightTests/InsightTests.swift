import Foundation
import Products
import Reconciling
import Settings
import TestSupport
import Testing

@testable import Insight

@Suite("Asking without changing anything")
struct InsightTests {
    @Test(
        "labels are read by the names of their columns",
        arguments: ["product", "Photo", "image", "path", "file"])
    func labels(key: String) throws {
        let folder = try TemporaryFolder()
        try folder.write("labels.csv", Array("x,Label,\(key)\n1,red,a\n2,,b\n3,blue,c\n".utf8))
        #expect(try EvaluationLabels.read("\(folder.path)/labels.csv") == ["a": "red", "c": "blue"])
    }

    @Test("models are named one by one or several as one, with weights")
    func choices() throws {
        #expect(try Evaluation.choices("a").map(\.name) == ["a"])
        let two = try Evaluation.choices("a*2+b")
        #expect(two.map(\.name) == ["a", "b"] && two.map(\.weight) == [2, 1])
        for text in ["", "a+", "a*", "a*x", "a*2*3", "*2"] {
            #expect(throws: InsightError.self) { try Evaluation.choices(text) }
        }
    }
}

@Suite("Verifying what a table of attributes says", .inLanes)
struct AttributeVerificationTests {
    private let folder: TemporaryFolder

    private func settings(_ attributes: String) throws -> Settings {
        try Settings(
            """
            [images]
            folder = "photos"
            [output]
            folder = "out"
            \(attributes)
            [state]
            folder = "state"
            [model]
            folder = "\(Repository.models)"
            """, file: "\(folder.path)/shop.toml")
    }

    init() throws {
        folder = try TemporaryFolder()
        for number in 1...8 {
            let name = "bird-\(String(format: "%03d", number)).jpg"
            try folder.write(
                "photos/\(name)",
                Array(try Data(contentsOf: URL(fileURLWithPath: "\(Repository.catalogue)/bird/\(name)"))))
        }
    }

    private func drift(_ settings: Settings) throws -> [String] {
        try Verification(settings: settings) { _ in }.run(sample: nil).drift.map(\.product)
    }

    /// The products whose file shows a text.
    private func showing(_ text: String) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: "\(folder.path)/out/products").filter {
            try String(contentsOfFile: "\(folder.path)/out/products/\($0)", encoding: .utf8).contains(text)
        }.map { String($0.dropLast(".json".count)) }.sorted()
    }

    @Test("every file is named that does not show what the table says now, or shows what no table says")
    func drift() throws {
        try folder.write("table.csv", Array("product,price\nbird-001,1\n".utf8))
        let with = try settings(#"attributes = "table.csv""#)
        _ = try Reconciler(settings: with, executable: Repository.agent).run()
        #expect(try drift(with).isEmpty)
        let affected = try showing(#""price""#)
        #expect(affected.count > 1)
        try folder.write("table.csv", Array("product,price\nbird-001,2\n".utf8))
        #expect(try drift(with) == affected)
        #expect(try drift(settings("")) == affected)
        _ = try Reconciler(settings: settings(""), executable: Repository.agent).run()
        #expect(try drift(settings("")).isEmpty && showing(#""price""#).isEmpty)
        #expect(try drift(with) == affected)
    }
}
