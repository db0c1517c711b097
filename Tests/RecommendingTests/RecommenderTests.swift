import Products
import TestSupport
import Testing

@testable import Recommending

@Suite("Making lists of candidates")
struct RecommenderTests {
    private func neighbour(_ name: String, _ score: Float) -> Neighbour {
        Neighbour(product: ProductID(name), score: score)
    }

    private func product(_ similar: [Neighbour]) -> RankedProduct {
        RankedProduct(
            product: ProductID("product"), photos: [], attributes: .init(),
            similar: similar.map { Candidate(neighbour: $0, photos: []) })
    }

    /// Candidates with ties, the nearest first.
    private func candidates(_ count: Int, using random: inout SeededRandom) -> [Neighbour] {
        (0..<count).map { neighbour("p\($0)", Float(Int.random(in: -4...4, using: &random)) / 4) }
            .sorted { ($1.score, $0.product) < ($0.score, $1.product) }
    }

    @Test("a list has the first candidates that meet its conditions, with their cosine")
    func entries() {
        let looks = [neighbour("a", 0.9), neighbour("b", 0.5), neighbour("c", 0.5), neighbour("d", 0.1)]
        func names(_ count: Int, _ conditions: [Condition] = []) -> [String] {
            let recommender = Recommender(lists: [ListDefinition(count: count, conditions: conditions)])
            let lists = recommender.lists(of: product(looks))
            #expect(lists.map(\.name) == ["similar"])
            #expect(lists[0].entries.allSatisfy { looks.contains($0.candidate.neighbour) })
            #expect(lists[0].entries.map(\.score) == lists[0].entries.map(\.score).sorted(by: >))
            return lists[0].entries.map(\.candidate.neighbour.product.text)
        }
        #expect(names(3) == ["a", "b", "c"])
        #expect(names(9) == ["a", "b", "c", "d"])
        #expect(names(9, [.looks(atLeast: 0.5)]) == ["a", "b", "c"])
        #expect(names(9, [.looks(atLeast: 0.91)]) == [])
        #expect(names(0) == [])
    }

    @Test(
        "candidates to the depth that is asked for give the lists of the whole catalogue",
        arguments: [1, 2, 3])
    func depth(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        for _ in 0..<500 {
            let lists = (0...Int.random(in: 0...2, using: &random)).map { number in
                var list = ListDefinition(
                    count: Int.random(in: 0...6, using: &random),
                    conditions: Bool.random(using: &random)
                        ? [.looks(atLeast: Float(Int.random(in: -4...4, using: &random)) / 4)] : [])
                list.name = "list\(number)"
                return list
            }
            let recommender = Recommender(lists: lists)
            let all = candidates(Int.random(in: 0...20, using: &random), using: &random)
            let known = Array(all.prefix(recommender.candidateDepth))
            #expect(
                recommender.lists(of: product(known)) == recommender.lists(of: product(all)),
                "seed \(seed)")
        }
    }
}
