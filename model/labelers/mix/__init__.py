"""The mix of grades that a labeler is fitted on and deployed to."""
