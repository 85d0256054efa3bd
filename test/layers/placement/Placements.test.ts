/** What a server promises is the same wherever it is. */
import { placementSuite } from "../../kit/placement/PlacementSuite.ts"
import { cluster, fiber } from "../../kit/placement/Places.ts"

placementSuite(fiber)
placementSuite(cluster)
