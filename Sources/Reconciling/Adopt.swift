import Catalogue
import Products
import Publishing

/// A catalogue made anew does not know what an earlier one published; the index on disk does. Takes these products on, unless
/// so many of them have no photo that the folder is probably not there.
struct AdoptStep {
    let workplace: Workplace
    let session: Session
    let options: Round.Options
    let brake: RemovalBrake

    /// - Parameter departing: photos that are about to leave.
    /// - Throws: `ReconcileError.outputOfOthers`; the index is read again the next time.
    func run(without departing: Set<ImagePath>) throws {
        let catalogue = session.catalogue
        let indexed = try session.publisher(workplace).takeIndexedProducts()
        guard !indexed.isEmpty else { return }
        let known = Set(try catalogue.publications().map(\.product))
        let forgotten = indexed.filter { !known.contains($0) }
        guard !forgotten.isEmpty else { return }
        let present = Set(
            try catalogue.images().filter { $0.digest != nil && !departing.contains($0.path) }.map(\.product))
        let missing = forgotten.count { !present.contains($0) }
        guard options.allowsMassRemoval || !brake.isMass(missing, of: forgotten.count) else {
            session.closePublisher()
            throw ReconcileError.outputOfOthers(
                folder: workplace.settings.output.folder, missing: missing, products: forgotten.count)
        }
        try catalogue.adopt(forgotten)
    }
}
