import Products
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
