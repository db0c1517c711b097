import Catalogue
import Embedding
import Publishing
import Settings
import Watching

/// What stops a whole run. What is wrong with one photo is in the report instead.
package enum AgentError: Error, CustomStringConvertible {
    case settings(SettingsError)
    case folder(FolderScanError)
    case catalogue(CatalogueError)
    case model(ModelError)
    case publishing(PublishingError)
    /// Another process works on the same state folder.
    case busy(stateFolder: String)
    case cannotLock(file: String, reason: String)
    /// No such product or photo.
    case unknownProduct(String)
    case unreadablePhoto(path: String, reason: String)
    case nothingYet(stateFolder: String)
    /// The vectors of another model are in the catalogue.
    case otherModel(catalogued: String, wanted: String)
    /// The change of model leaves more products without a vector than may vanish at once.
    case tooManyUnreadable(vanishing: Int, products: Int)
    case cannotWrite(file: String, reason: String)

    package var description: String {
        switch self {
        case .settings(let error): error.description
        case .folder(let error): error.description
        case .catalogue(let error): error.description
        case .model(let error): error.description
        case .publishing(let error): error.description
        case .busy(let stateFolder):
            "another imgrec-agent is working on \(stateFolder). Wait until it has finished, then run this again."
        case .cannotLock(let file, let reason):
            "the lock \(file) cannot be taken: \(reason)"
        case .unknownProduct(let name):
            "there is no product, photo or file \"\(name)\". Name a product (dress/dress-001), a photo in the image folder (dress/dress-001.jpg) or any image file."
        case .unreadablePhoto(let path, let reason):
            "\(path): \(reason)"
        case .nothingYet(let stateFolder):
            "there is no catalogue in \(stateFolder) yet. Run 'imgrec-agent reconcile' first."
        case .otherModel(let catalogued, let wanted):
            "the catalogue was made with \(catalogued), the settings ask for \(wanted). Run 'imgrec-agent reconcile' first."
        case .tooManyUnreadable(let vanishing, let products):
            "\(vanishing) of \(products) products could not be embedded with the new model, so nothing was published. See 'imgrec-agent status'; to go on all the same: imgrec-agent reconcile --allow-mass-removal"
        case .cannotWrite(let file, let reason):
            "\(file) cannot be written: \(reason)"
        }
    }
}

/// Runs a body whose errors are those of the rooms, and names the room.
func inRooms<Value>(_ body: () throws -> Value) throws(AgentError) -> Value {
    do {
        return try body()
    } catch let error as AgentError {
        throw error
    } catch let error as SettingsError {
        throw .settings(error)
    } catch let error as FolderScanError {
        throw .folder(error)
    } catch let error as CatalogueError {
        throw .catalogue(error)
    } catch let error as ModelError {
        throw .model(error)
    } catch let error as PublishingError {
        throw .publishing(error)
    } catch {
        preconditionFailure("a room threw an error that is not its own: \(error)")
    }
}
