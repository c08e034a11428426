"""Simulate clusters in their fields, with known truth, for a try without a network and for tests.

Writes member lists, cluster parameters, schematic isochrones, one table of sources per cluster and the
truth into a data directory of its own, from which build_sets works as from real data.

example: python simulate_clusters.py Simulated_1 --data_dir simulated_data
         python build_sets.py Simulated_1 --data_dir simulated_data --cone_source simulated_data/cones
"""

from gaia_oc_amd.command_line import add_options, add_run_options, make_parser, parse, run
from gaia_oc_amd.options import RunOptions
from gaia_oc_amd.simulation.options import SimulationOptions


def main(argv: list[str] | None = None) -> int:
    """Simulate every named cluster; returns the exit code."""
    parser = make_parser(__doc__)
    parser.add_argument(
        "clusters",
        nargs="*",
        default=["Simulated_1"],
        help="names to give to the clusters, or a file with one name a line",
    )
    add_options(
        parser,
        SimulationOptions,
        ra="right ascension of the centre [deg]",
        dec="declination of the centre [deg]",
        dist="distance [pc]",
        age="log10 of the age [yr]",
        metal_fraction="Z; members lie on the isochrones with the nearest one",
        a0="extinction at 550 nm [mag]",
        differential_reddening="standard deviation of the extinction over the cluster [mag of A0]",
        pmra="proper motion in right ascension, with cos(dec) [mas/yr]",
        pmdec="proper motion in declination [mas/yr]",
        radial_velocity="radial velocity [km/s]",
        n_members="members brighter than the faint limit",
        core_radius="core radius of the King profile [pc]",
        tidal_radius="tidal radius of the King profile [pc]",
        halo_fraction="share of the members in a halo of 2.5 tidal radii",
        tail_fraction="share of the members in tidal tails",
        mass_segregation="how strongly place follows mass, 0 to 1",
        velocity_dispersion="standard deviation of the velocities in each direction [km/s]",
        binary_fraction="fraction of stars of 0.7 Msun with an unresolved companion",
        g_max="faint limit in G [mag]",
        field_density="field stars brighter than the faint limit [1/deg^2] (default: from the Galactic model)",
        cone_radius="radius that is filled with stars [pc]",
        cone_pm_sigmas="proper motions kept, in standard deviations of the members; inf keeps all",
        cone_plx_sigmas="parallaxes kept, in standard deviations of the members; inf keeps all",
        list_g_max="faint limit of the member lists [mag]",
        list_radius="radius of the published member list [pc]",
        list_completeness="share of the members within these limits that the published list has",
        list_contamination="share of field stars in the published list",
        age_error="standard deviation of the catalogue's error in age [dex]",
        a0_error="standard deviation of the catalogue's error in a0 [mag]",
        dist_error="standard deviation of the catalogue's relative error in distance",
        vary="give each cluster parameters of its own, drawn over ranges like those of catalogues",
    )
    add_run_options(parser)
    arguments, run_options, options = parse(parser, argv, RunOptions, SimulationOptions)

    from gaia_oc_amd.batch.processes import prepare_processes

    prepare_processes(run_options.workers, "simulated_data")
    from gaia_oc_amd.catalogues.names import read_cluster_names
    from gaia_oc_amd.stages.simulate import simulate_clusters

    names = read_cluster_names(arguments.clusters)
    rows = simulate_clusters(
        names,
        run_options.data_dir,
        options,
        seed=run_options.seed,
        workers=run_options.workers,
        scheduler=run_options.scheduler,
    )
    return int(len(rows) < len(names))


if __name__ == "__main__":
    run(main)
